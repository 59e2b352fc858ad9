import { hue } from './hue.js';

/** Pixels between two lines of the grid, at least. */
const GRID = 90;
const RADIUS = 5;
const LABEL_HEIGHT = 15;
/** Most labels. */
const LABELS = 80;

/** Paints a map on a canvas, in the colours of the page. */
export class MapPainter {
  #canvas;
  #context;
  #projection;
  #ratio = 1;
  #colours = {};
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

  /** Paints points with their present position `now`. */
  paint(points, { selected, hasLabels }) {
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.#colours = { line: colour('--line'), muted: colour('--muted'), ink: colour('--ink'), card: colour('--card'), accent: colour('--accent'), lightness: colour('--type-lightness') };
    const context = this.#context;
    const [width, height] = this.#projection.size;
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `11px ${colour('--sans')}`;
    this.#grid(width, height);
    const shown = points
      .map((point) => ({ ...point, pixel: this.#projection.pixel(point.now), colour: `hsl(${hue(point.type)} 60% ${this.#colours.lightness})` }))
      .filter(({ pixel: [x, y], lines }) => lines.length > 0 || (x > -20 && y > -20 && x < width + 20 && y < height + 20));
    for (const point of shown) this.#outlines(point);
    for (const point of shown) this.#trail(point);
    for (const point of shown) this.#point(point, point.key === selected);
    if (hasLabels) this.#labels(shown, selected, width);
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
    context.fillStyle = this.#colours.muted;
    for (const longitude of longitudes) context.fillText(`${Math.abs(longitude).toFixed(digits)}° ${longitude < 0 ? 'W' : 'E'}`, this.#projection.pixel([longitude, 0])[0] + 4, height - 6);
    for (const latitude of latitudes) {
      const y = this.#projection.pixel([0, latitude])[1];
      if (y < height - 24) context.fillText(`${Math.abs(latitude).toFixed(digits)}° ${latitude < 0 ? 'S' : 'N'}`, 6, y - 4);
    }
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
    positions.forEach((position, index) => context[index === 0 ? 'moveTo' : 'lineTo'](...this.#projection.pixel(position)));
    context.stroke();
  }

  #point({ pixel: [x, y], colour }, isSelected) {
    const context = this.#context;
    context.beginPath();
    context.arc(x, y, isSelected ? RADIUS + 2 : RADIUS, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = isSelected ? 3 : 1.5;
    context.strokeStyle = isSelected ? this.#colours.accent : this.#colours.card;
    context.stroke();
  }

  /** Labels beside their points, as many as have room. The selected point has one in any case. */
  #labels(points, selected, width) {
    const context = this.#context;
    const taken = points.map(({ pixel: [x, y] }) => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]).slice(0, 2 * LABELS);
    const ordered = points.filter(({ key }) => key === selected).concat(points.filter(({ key }) => key !== selected).slice(0, LABELS));
    context.lineJoin = 'round';
    for (const { key, label, pixel: [x, y] } of ordered) {
      const text = label.length > 28 ? `${label.slice(0, 27)}…` : label;
      const across = this.#width(text);
      const left = x + RADIUS + 4 + across > width ? x - RADIUS - 4 - across : x + RADIUS + 4;
      const box = [left, y - LABEL_HEIGHT / 2, left + across, y + LABEL_HEIGHT / 2];
      const hasRoom = taken.every(([west, north, east, south]) => box[0] > east || box[2] < west || box[1] > south || box[3] < north);
      if (!hasRoom && key !== selected) continue;
      taken.push(box);
      context.strokeStyle = this.#colours.card;
      context.lineWidth = 3;
      context.strokeText(text, left, y + 4);
      context.fillStyle = this.#colours.ink;
      context.fillText(text, left, y + 4);
    }
  }

  #width(text) {
    if (!this.#widths.has(text)) {
      if (this.#widths.size > 5000) this.#widths.clear();
      this.#widths.set(text, this.#context.measureText(text).width);
    }
    return this.#widths.get(text);
  }
}
