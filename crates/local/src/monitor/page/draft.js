/** The fields of a subscription as a user writes them. Each is a text; lists are separated by commas. */
export const FIELDS = [
  'name', 'types', 'ids', 'pattern', 'kinds', 'watched', 'q', 'georel', 'distance', 'geometry', 'coordinates', 'geoproperty',
  'path', 'attributes', 'representation',
];

/** Most subscriptions that are read from an address: more than a connection has. */
const READ = 32;

/** The entries of a list that a user writes. */
export const entries = (text) => text.split(',').map((entry) => entry.trim()).filter(Boolean);

/**
 * A draft with these fields; the others are empty. The default subscription has no name, and is `off` while the connection does
 * not have it.
 */
export function draft(fields = {}) {
  const texts = FIELDS.map((field) => [field, typeof fields[field] === 'string' ? fields[field] : '']);
  const one = Object.fromEntries(texts);
  return { ...one, off: fields.off === true && one.name === '' };
}

/** The drafts of a list of any origin, the default subscription first. Names differ. */
export function drafts(list) {
  const read = new Map([['', draft()]]);
  for (const fields of Array.isArray(list) ? list.slice(0, READ) : []) {
    const one = draft(fields ?? {});
    read.set(one.name, one);
  }
  return [...read.values()];
}

/** The fields of a draft that are not empty, for an address. */
export const compact = (one) => Object.fromEntries(Object.entries(one).filter(([, value]) => value));

/** Coordinates as JSON. The brackets of a single position may be left out. The server explains its errors. */
function coordinates(text) {
  const written = text.trim();
  try {
    return JSON.parse(written.startsWith('[') ? written : `[${written}]`);
  } catch {
    return written;
  }
}

function geoQuery({ georel, distance, geometry, coordinates: written, geoproperty }) {
  if (!georel) return undefined;
  return {
    georel: georel.startsWith('near;') ? `${georel}==${distance.trim()}` : georel,
    geometry: geometry || 'Point',
    coordinates: coordinates(written),
    ...(geoproperty.trim() && { geoproperty: geoproperty.trim() }),
  };
}

/** The subscription as `subscribe` takes it. Fields that do not restrict are left out. */
export function wire(one) {
  const fields = {
    subscription: one.name.trim(),
    entityTypes: entries(one.types),
    entityIds: entries(one.ids),
    idPattern: one.pattern,
    notificationTrigger: entries(one.kinds),
    watchedAttributes: entries(one.watched),
    q: one.q.trim(),
    geoQ: geoQuery(one),
    servicePath: one.path.trim(),
    attributes: entries(one.attributes),
    representation: one.representation,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value && value.length !== 0));
}
