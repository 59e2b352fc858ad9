import { hue } from './hue.js';
import { turned } from './projection.js';

/** Pixels between two lines of the grid, at least. */
const GRID = 90;
const RADIUS = 5;
const LABEL_HEIGHT = 15;
/** Most labels. */
const LABELS = 80;
/** The greatest width of the bar that shows the scale, in pixels. */
const BAR = 120;
/** Most points that have a trail. The trails of more cover each other. */
const TRAILS = 1000;

/** A coordinate as text, with the letters of its two directions. */
const degrees = (number, digits, negative, positive) => `${Math.abs(number).toFixed(digits)}° ${number < 0 ? negative : positive}`;

/** Paints a map on a canvas, in the colours of the page. */
export class MapPainter {
  #canvas;
  #context;
  #projection;
  #ratio = 1;
  #colours = {};
  /** The boxes of the texts that stand, where no label has room. */
  #standing = [];
  /** The pictures of the points, by their colours. */
  #dots = new Map();
  /** The widths of labels, which change seldom. */
  #widths = new Map();

  constructor(canvas, projection) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    this.#projection = projection;
  }

  /** Fits the canvas to its frame. Returns false if it has no size. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas.parentElement;
    if (width === 0 || height === 0) return false;
    this.#ratio = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(width * this.#ratio), Math.round(height * this.#ratio)];
    if (this.#canvas.width !== across || this.#canvas.height !== down) [this.#canvas.width, this.#canvas.height] = [across, down];
    this.#projection.size = [width, height];
    return true;
  }

  /** Paints points with their present position `now`, and a cross in the centre if it is `isAimed`. */
  paint(points, { selected, hasLabels, isAimed }) {
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.#colours = { line: colour('--line'), muted: colour('--muted'), ink: colour('--ink'), card: colour('--card'), sunken: colour('--sunken'), accent: colour('--accent'), lightness: colour('--type-lightness') };
    const context = this.#context;
    const [width, height] = this.#projection.size;
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `11px ${colour('--sans')}`;
    this.#standing = [];
    this.#grid(width, height);
    this.#bar(width);
    const shown = points
      .map((point) => ({ ...point, pixel: this.#projection.pixel(point.now), colour: `hsl(${hue(point.type)} 60% ${this.#colours.lightness})` }))
      .filter(({ pixel: [x, y], lines }) => lines.length > 0 || (x > -20 && y > -20 && x < width + 20 && y < height + 20));
    for (const point of shown) this.#outlines(point);
    for (const point of shown) if (shown.length <= TRAILS || point.key === selected) this.#trail(point);
    this.#dots.clear();
    for (const point of shown) if (point.key !== selected) this.#dot(point);
    for (const point of shown) if (point.key === selected) this.#point(context, point.pixel, point.colour, true);
    if (hasLabels) this.#labels(shown, selected);
    if (isAimed) this.#aim(width, height);
  }

  #grid(width, height) {
    const context = this.#context;
    const { longitudes, latitudes, digits } = this.#projection.grid(GRID);
    context.strokeStyle = this.#colours.line;
    context.lineWidth = 1;
    context.beginPath();
    for (const longitude of longitudes) {
      const x = Math.round(this.#projection.pixel([longitude, 0])[0]) + 0.5;
      context.moveTo(x, 0);
      context.lineTo(x, height);
    }
    for (const latitude of latitudes) {
      const y = Math.round(this.#projection.pixel([0, latitude])[1]) + 0.5;
      context.moveTo(0, y);
      context.lineTo(width, y);
    }
    context.stroke();
    for (const longitude of longitudes) {
      const text = degrees(turned(longitude), digits, 'W', 'E');
      const x = this.#projection.pixel([longitude, 0])[0] + 4;
      if (x + this.#width(text) < width) this.#stand(text, x, height - 6);
    }
    for (const latitude of latitudes) {
      const y = this.#projection.pixel([0, latitude])[1];
      if (y < height - 24 && y > 34) this.#stand(degrees(latitude, digits, 'S', 'N'), 6, y - 4);
    }
  }

  /** The length of a bar at the upper left. */
  #bar(width) {
    const context = this.#context;
    const { metres, pixels } = this.#projection.bar(Math.min(BAR, width / 3));
    const text = metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
    context.lineWidth = 5;
    context.strokeStyle = this.#colours.sunken;
    context.beginPath();
    context.moveTo(8, 6);
    context.lineTo(8, 12);
    context.lineTo(8 + pixels, 12);
    context.lineTo(8 + pixels, 6);
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = this.#colours.muted;
    context.stroke();
    this.#standing.push([8, 0, 8 + pixels, 16]);
    this.#stand(text, 14 + pixels, 14);
  }

  /** A text of the map itself. */
  #stand(text, x, y) {
    this.#text(text, x, y, this.#colours.muted);
    this.#standing.push([x, y - 11, x + this.#width(text), y + 4]);
  }

  #aim(width, height) {
    const context = this.#context;
    const [x, y] = [Math.round(width / 2) + 0.5, Math.round(height / 2) + 0.5];
    context.lineWidth = 1;
    context.strokeStyle = this.#colours.accent;
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    context.stroke();
  }

  /** A text that lines do not cross. */
  #text(text, x, y, colour) {
    const context = this.#context;
    context.lineJoin = 'round';
    context.lineWidth = 3;
    context.strokeStyle = this.#colours.sunken;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  #outlines({ lines, colour }) {
    const context = this.#context;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    for (const line of lines) this.#line(line);
  }

  #trail({ trail, now, colour }) {
    if (trail.length === 0) return;
    const context = this.#context;
    context.globalAlpha = 0.4;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    this.#line([...trail.slice(0, -1), now]);
    context.globalAlpha = 1;
  }

  #line(positions) {
    const context = this.#context;
    context.beginPath();
    let near;
    positions.forEach((position, index) => {
      // Each position is the nearest one to the position before.
      const [x, y] = this.#projection.pixel(position, near);
      context[index === 0 ? 'moveTo' : 'lineTo'](x, y);
      near = x;
    });
    context.stroke();
  }

  /** A point as the copy of a picture, which is faster than a circle. */
  #dot({ pixel: [x, y], colour }) {
    const half = RADIUS + 2;
    let picture = this.#dots.get(colour);
    if (!picture) {
      picture = new OffscreenCanvas(Math.ceil(2 * half * this.#ratio), Math.ceil(2 * half * this.#ratio));
      const context = picture.getContext('2d');
      context.scale(this.#ratio, this.#ratio);
      this.#point(context, [half, half], colour, false);
      this.#dots.set(colour, picture);
    }
    this.#context.drawImage(picture, x - half, y - half, picture.width / this.#ratio, picture.height / this.#ratio);
  }

  #point(context, [x, y], colour, isSelected) {
    context.beginPath();
    context.arc(x, y, isSelected ? RADIUS + 2 : RADIUS, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = isSelected ? 3 : 1.5;
    context.strokeStyle = isSelected ? this.#colours.accent : this.#colours.card;
    context.stroke();
  }

  /** Labels beside, above or below their points, as many as have room. The selected point has one in any case. */
  #labels(points, selected) {
    const taken = points.map(({ pixel: [x, y] }) => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]).slice(0, 2 * LABELS).concat(this.#standing);
    const ordered = points.filter(({ key }) => key === selected).concat(points.filter(({ key }) => key !== selected).slice(0, LABELS));
    for (const { key, label, pixel } of ordered) {
      const text = label.length > 28 ? `${label.slice(0, 27)}…` : label;
      const places = this.#places(pixel, this.#width(text));
      const box = places.find((place) => this.#hasRoom(place, taken)) ?? (key === selected ? places[0] : undefined);
      if (!box) continue;
      taken.push(box);
      this.#text(text, box[0], box[3] - 4, this.#colours.ink);
    }
  }

  /** The boxes that a label can have: at the right and the left of its point, above it and below it. */
  #places([x, y], across) {
    const [half, away] = [LABEL_HEIGHT / 2, RADIUS + 4];
    return [
      [x + away, y - half], [x - away - across, y - half], [x - across / 2, y - RADIUS - LABEL_HEIGHT], [x - across / 2, y + RADIUS],
    ].map(([left, top]) => [left, top, left + across, top + LABEL_HEIGHT]);
  }

  #hasRoom([west, north, east, south], taken) {
    const [width, height] = this.#projection.size;
    if (west < 0 || east > width || north < 0 || south > height) return false;
    return taken.every((other) => west > other[2] || east < other[0] || north > other[3] || south < other[1]);
  }

  #width(text) {
    if (!this.#widths.has(text)) {
      if (this.#widths.size > 5000) this.#widths.clear();
      this.#widths.set(text, this.#context.measureText(text).width);
    }
    return this.#widths.get(text);
  }
}
