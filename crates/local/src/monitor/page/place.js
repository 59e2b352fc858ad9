import { turned } from './projection.js';

const KINDS = new Set(['Point', 'MultiPoint', 'LineString', 'MultiLineString', 'Polygon', 'MultiPolygon']);

/** The levels of arrays in a MultiPolygon. Publishers may nest more deeply. */
const DEEPEST = 4;

/** A position of NGSIv2: the latitude first. */
const swapped = (text) => (typeof text === 'string' ? text.split(',').map(Number).slice(0, 2).reverse() : []);

/** The simple locations of NGSIv2. */
const SIMPLE = {
  'geo:point': (text) => ({ type: 'Point', coordinates: swapped(text) }),
  'geo:line': (texts) => ({ type: 'LineString', coordinates: [texts].flat().map(swapped) }),
  'geo:polygon': (texts) => ({ type: 'Polygon', coordinates: [[texts].flat().map(swapped)] }),
  'geo:box': (texts) => {
    const [[west, south] = [], [east, north] = []] = [texts].flat().map(swapped);
    return { type: 'Polygon', coordinates: [[[west, south], [east, south], [east, north], [west, north], [west, south]]] };
  },
};

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/** A position, the longitude first, if it is on the earth. */
const position = ([longitude, latitude]) => (isNumber(longitude) && isNumber(latitude) && Math.abs(longitude) <= 360 && Math.abs(latitude) <= 90
  ? [longitude, latitude] : null);

/** The lines of a geometry, each a list of positions. */
function lines({ type, coordinates }) {
  if (!KINDS.has(type) || !Array.isArray(coordinates)) return [];
  const list = [];
  const collect = (part, depth) => {
    if (!Array.isArray(part) || part.length === 0 || depth > DEEPEST) return;
    if (!Array.isArray(part[0])) list.push([position(part)]);
    else if (!Array.isArray(part[0][0])) list.push(part.map((one) => (Array.isArray(one) ? position(one) : null)));
    else part.forEach((one) => collect(one, depth + 1));
  };
  collect(coordinates, 0);
  return list.map((line) => line.filter(Boolean)).filter((line) => line.length > 0);
}

/** The geometry of an attribute: a GeoProperty of NGSI-LD, `geo:json` or a simple location of NGSIv2, or bare GeoJSON. */
function geometry(attribute) {
  const one = Array.isArray(attribute) ? attribute[0] : attribute;
  if (typeof one !== 'object' || one === null) return null;
  if (Object.hasOwn(SIMPLE, one.type)) return SIMPLE[one.type](one.value);
  const value = typeof one.value === 'object' && one.value !== null ? one.value : one;
  return KINDS.has(value.type) ? value : null;
}

/** The middle of an area, which may lie across the 180th meridian. */
function middle(points) {
  const [first, latitude] = points[0];
  let [west, east, south, north] = [0, 0, latitude, latitude];
  for (const [longitude, other] of points) {
    const beside = turned(longitude - first);
    [west, east, south, north] = [Math.min(west, beside), Math.max(east, beside), Math.min(south, other), Math.max(north, other)];
  }
  return [turned(first + (west + east) / 2), (south + north) / 2];
}

/** The place of an entity: `{ at, lines }`, where `at` is its position, or the middle of its lines; null without a location. */
export function placeOf(data) {
  for (const name of ['location', ...Object.keys(data)]) {
    const found = geometry(data[name]);
    const all = found ? lines(found) : [];
    if (all.length === 0) continue;
    const points = all.flat();
    return { at: middle(points), lines: points.length > 1 ? all : [] };
  }
  return null;
}
