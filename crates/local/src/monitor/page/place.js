const KINDS = new Set(['Point', 'MultiPoint', 'LineString', 'MultiLineString', 'Polygon', 'MultiPolygon']);

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/** A position, the longitude first, if it is on the earth. */
const position = ([longitude, latitude]) => (isNumber(longitude) && isNumber(latitude) && Math.abs(longitude) <= 360 && Math.abs(latitude) <= 90
  ? [longitude, latitude] : null);

/** The lines of a geometry, each a list of positions. */
function lines({ type, coordinates }) {
  if (!KINDS.has(type) || !Array.isArray(coordinates)) return [];
  const list = [];
  const collect = (part) => {
    if (!Array.isArray(part) || part.length === 0) return;
    if (!Array.isArray(part[0])) list.push([position(part)]);
    else if (!Array.isArray(part[0][0])) list.push(part.map((one) => (Array.isArray(one) ? position(one) : null)));
    else part.forEach(collect);
  };
  collect(coordinates);
  return list.map((line) => line.filter(Boolean)).filter((line) => line.length > 0);
}

/** The geometry of an attribute: a GeoProperty of NGSI-LD, `geo:json` or `geo:point` of NGSIv2, or bare GeoJSON. */
function geometry(attribute) {
  const one = Array.isArray(attribute) ? attribute[0] : attribute;
  if (typeof one !== 'object' || one === null) return null;
  if (one.type === 'geo:point' && typeof one.value === 'string') {
    const [latitude, longitude] = one.value.split(',').map(Number);
    return { type: 'Point', coordinates: [longitude, latitude] };
  }
  const value = typeof one.value === 'object' && one.value !== null ? one.value : one;
  return KINDS.has(value.type) ? value : null;
}

/** The place of an entity: `{ at, lines }`, where `at` is its position, or the middle of its lines; null without a location. */
export function placeOf(data) {
  for (const name of ['location', ...Object.keys(data)]) {
    const found = geometry(data[name]);
    const all = found ? lines(found) : [];
    if (all.length === 0) continue;
    const points = all.flat();
    const [longitudes, latitudes] = [points.map(([longitude]) => longitude), points.map(([, latitude]) => latitude)];
    const middle = (numbers) => (Math.min(...numbers) + Math.max(...numbers)) / 2;
    return { at: [middle(longitudes), middle(latitudes)], lines: points.length > 1 ? all : [] };
  }
  return null;
}
