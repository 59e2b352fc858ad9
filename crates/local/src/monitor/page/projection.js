/** Room at the edges of a map that shows everything, in pixels. */
const EDGE = 48;
/** The least width of a map that shows everything, in degrees. */
const LEAST = 0.002;

const CLOSEST = 2e7;
const FARTHEST = 0.5;

/** The part of the earth that a map shows: its centre, and pixels for each degree of latitude. */
export class Projection {
  centre = [0, 20];
  scale = 2;
  size = [1, 1];

  /** Shows these positions. */
  fit(positions) {
    if (positions.length === 0) return;
    const [x, y] = [0, 1].map((axis) => positions.map((position) => position[axis]));
    const [west, east, south, north] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
    this.centre = [(west + east) / 2, (south + north) / 2];
    const [width, height] = this.size;
    const across = (width - 2 * EDGE) / Math.max(LEAST, (east - west) * this.#narrow);
    const down = (height - 2 * EDGE) / Math.max(LEAST, north - south);
    this.scale = this.#within(Math.min(across, down));
  }

  /** The pixel of a position. */
  pixel([longitude, latitude]) {
    const [width, height] = this.size;
    return [width / 2 + (longitude - this.centre[0]) * this.#narrow * this.scale, height / 2 - (latitude - this.centre[1]) * this.scale];
  }

  /** The position of a pixel. */
  position([x, y]) {
    const [width, height] = this.size;
    return [this.centre[0] + (x - width / 2) / this.scale / this.#narrow, this.centre[1] - (y - height / 2) / this.scale];
  }

  move(x, y) {
    this.centre = [this.centre[0] - x / this.scale / this.#narrow, Math.max(-85, Math.min(85, this.centre[1] + y / this.scale))];
  }

  /** Changes the scale. The position at a pixel stays there. */
  zoom(factor, pixel = this.size.map((length) => length / 2)) {
    const before = this.position(pixel);
    this.scale = this.#within(this.scale * factor);
    const after = this.position(pixel);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
  }

  /** The positions of the lines of a grid, at least `distance` pixels apart, and the digits of their labels. */
  grid(distance) {
    const least = distance / this.scale;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= least) ?? 10 * power;
    const [west, north] = this.position([0, 0]);
    const [east, south] = this.position(this.size);
    const range = (from, to) => Array.from({ length: Math.min(200, Math.floor(to / step) - Math.ceil(from / step) + 1) }, (_, index) => (Math.ceil(from / step) + index) * step);
    return { longitudes: range(west, east), latitudes: range(south, north), digits: Math.max(0, -Math.floor(Math.log10(step))) };
  }

  /** Degrees of longitude are shorter away from the equator. */
  get #narrow() {
    return Math.cos((this.centre[1] * Math.PI) / 180);
  }

  #within(scale) {
    return Math.max(FARTHEST, Math.min(CLOSEST, scale));
  }
}
