/** Room at the edges of a map that shows everything, in pixels. */
const EDGE = 48;
/** The least width of a map that shows everything, in degrees. */
const LEAST = 0.002;

const CLOSEST = 2e7;
const FARTHEST = 0.5;
/** The centre stays away from the poles, where a degree of longitude has no length. */
const NORTHERNMOST = 85;
const METRES_PER_DEGREE = 111_195;

/** The same longitude from 180° W to 180° E. */
export const turned = (longitude) => longitude - 360 * Math.floor((longitude + 180) / 360);

/** The ends of the shortest span that has all longitudes. It may cross the 180th meridian; then its east is over 180. */
function span(longitudes) {
  const sorted = [...new Set(longitudes.map(turned))].sort((a, b) => a - b);
  // The widest gap is not in the span. The one at the 180th meridian comes first.
  let [west, gap] = [sorted[0], sorted[0] + 360 - sorted.at(-1)];
  for (let index = 1; index < sorted.length; index += 1) {
    const between = sorted[index] - sorted[index - 1];
    if (between > gap) [west, gap] = [sorted[index], between];
  }
  return [west, west + 360 - gap];
}

const limited = (latitude) => Math.max(-NORTHERNMOST, Math.min(NORTHERNMOST, latitude));

/** The part of the earth that a map shows: its centre, and pixels for each degree of latitude. */
export class Projection {
  centre = [0, 20];
  scale = 2;
  size = [1, 1];

  /** Shows these positions. */
  fit(positions) {
    if (positions.length === 0) return;
    const [west, east] = span(positions.map(([longitude]) => longitude));
    // Arguments of Math.min would be too many.
    const south = positions.reduce((least, [, latitude]) => Math.min(least, latitude), 90);
    const north = positions.reduce((most, [, latitude]) => Math.max(most, latitude), -90);
    this.centre = [turned((west + east) / 2), limited((south + north) / 2)];
    const [width, height] = this.size;
    const across = (width - 2 * EDGE) / Math.max(LEAST, (east - west) * this.#narrow);
    const down = (height - 2 * EDGE) / Math.max(LEAST, north - south);
    this.scale = this.#within(Math.min(across, down));
  }

  /** The pixel of a position: of the nearest one to the centre, or to the pixel across `near`, since the earth is round. */
  pixel([longitude, latitude], near = this.size[0] / 2) {
    const [width, height] = this.size;
    const degree = this.#narrow * this.scale;
    const beside = (near - width / 2) / degree;
    return [width / 2 + (beside + turned(longitude - this.centre[0] - beside)) * degree, height / 2 - (latitude - this.centre[1]) * this.scale];
  }

  /** The position of a pixel. */
  position([x, y]) {
    const [width, height] = this.size;
    return [this.centre[0] + (x - width / 2) / this.scale / this.#narrow, this.centre[1] - (y - height / 2) / this.scale];
  }

  move(x, y) {
    this.centre = [turned(this.centre[0] - x / this.scale / this.#narrow), limited(this.centre[1] + y / this.scale)];
  }

  /** Changes the scale. The position at a pixel stays there. */
  zoom(factor, pixel = this.size.map((length) => length / 2)) {
    const before = this.position(pixel);
    this.scale = this.#within(this.scale * factor);
    const after = this.position(pixel);
    this.centre = [turned(this.centre[0] + before[0] - after[0]), limited(this.centre[1] + before[1] - after[1])];
  }

  /** The positions of the lines of a grid, at least `distance` pixels apart, and the digits of their labels. */
  grid(distance) {
    const least = distance / this.scale;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= least) ?? 10 * power;
    const [west, north] = this.position([0, 0]);
    const [east, south] = this.position(this.size);
    const range = (from, to) => Array.from({ length: Math.min(200, Math.floor(to / step) - Math.ceil(from / step) + 1) }, (_, index) => (Math.ceil(from / step) + index) * step);
    // Each longitude has one line, also on a map that is wider than the earth.
    const [left, right] = [Math.max(west, this.centre[0] - 180 + step / 2), Math.min(east, this.centre[0] + 180)];
    return { longitudes: range(left, right), latitudes: range(Math.max(south, -90), Math.min(north, 90)), digits: Math.max(0, -Math.floor(Math.log10(step))) };
  }

  /** A bar of a round length that is at most so many pixels wide: its metres and its pixels. */
  bar(most) {
    const metre = this.scale / METRES_PER_DEGREE;
    const power = 10 ** Math.floor(Math.log10(most / metre));
    const metres = [5, 2, 1].map((factor) => factor * power).find((one) => one * metre <= most) ?? power;
    return { metres, pixels: metres * metre };
  }

  /** Degrees of longitude are shorter away from the equator. */
  get #narrow() {
    return Math.cos((this.centre[1] * Math.PI) / 180);
  }

  #within(scale) {
    return Math.max(FARTHEST, Math.min(CLOSEST, scale));
  }
}
