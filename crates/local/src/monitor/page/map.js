import { byId, grouped, setText } from './dom.js';
import { MapInput } from './map_input.js';
import { MapPainter } from './map_painter.js';
import { localName } from './names.js';
import { placeOf } from './place.js';
import { Projection, turned } from './projection.js';

/** The time in which a point moves to its new position, in milliseconds. */
const MOVE = 600;
/** Most former positions that a point has. */
const TRAIL = 12;
/** The least time between two drawings, in milliseconds, and the most of the time that drawing takes. */
const EVERY = 30;
const SHARE = 0.2;
/** The number of moves since the last drawing from which points jump and are drawn seldom, and the time between two drawings then. */
const MANY = 25;
const SELDOM = 500;
/** The distance in which a click finds a point, in pixels. */
const NEAR = 16;

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** The label of a point: a name, or the end of the id. */
function labelOf({ data, id }) {
  const name = data.name?.value ?? data.name?.languageMap ?? data.name;
  const text = typeof name === 'object' && name !== null ? name.en ?? Object.values(name)[0] : name;
  return typeof text === 'string' && text !== '' ? text : id.split(':').slice(-2).map(localName).join(' ');
}

/** The tab of the map: a point for each entity with a location, over a grid of coordinates. */
export class MapView {
  #collected;
  #canvas = byId('map');
  #projection = new Projection();
  #painter = new MapPainter(this.#canvas, this.#projection);
  #points = new Map();
  #isShown = false;
  #timer = null;
  /** The time of the next drawing, at the earliest. */
  #next = 0;
  #moves = 0;
  #hasMoved = false;
  #selected = null;
  /** Movements are under way until then. */
  #until = 0;
  #input;

  constructor(collected, onOpen) {
    this.#collected = collected;
    collected.listen((row, key) => this.#changed(row, key));
    this.#input = new MapInput(this.#canvas, this.#projection, {
      onMove: () => { this.#hasMoved = true; this.#later(); },
      onClick: (pixel) => { const key = this.#at(pixel); if (key) onOpen(key); },
      onEnter: () => { const key = this.#at(this.#projection.size.map((length) => length / 2), Infinity); if (key) onOpen(key); },
      onFit: () => this.#fit(),
      onHover: (pixel) => { this.#canvas.classList.toggle('over', this.#at(pixel) !== null); },
    });
    byId('map-in').addEventListener('click', () => this.#input.zoom(2));
    byId('map-out').addEventListener('click', () => this.#input.zoom(0.5));
    byId('map-fit').addEventListener('click', () => this.#fit());
    for (const name of ['focus', 'blur']) this.#canvas.addEventListener(name, () => this.#later());
    byId('map-labels').addEventListener('change', () => this.#later());
    new ResizeObserver(() => this.#later()).observe(this.#canvas.parentElement);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#later());
  }

  show(isShown) {
    this.#isShown = isShown;
    if (!isShown) return;
    this.#collected.want();
    this.#later();
  }

  key(key) {
    return this.#input.key(key);
  }

  mark(key) {
    this.#selected = key;
    this.#later();
  }

  #changed(row, key) {
    if (row) this.#put(row);
    else if (key !== undefined) this.#points.delete(key);
    else if (this.#collected.rows.size === 0) this.#points.clear();
    this.#later();
  }

  #put(row) {
    const place = placeOf(row.entity.data);
    if (!place) {
      this.#points.delete(row.key);
      return;
    }
    const former = this.#points.get(row.key);
    const point = { ...place, key: row.key, type: row.types[0] ?? '', label: labelOf(row.entity), from: place.at, since: 0, trail: former?.trail ?? [] };
    if (former && (former.at[0] !== place.at[0] || former.at[1] !== place.at[1])) {
      const now = performance.now();
      point.trail = [...former.trail, former.at].slice(-TRAIL);
      this.#moves += 1;
      if (!calm.matches && this.#moves <= MANY) Object.assign(point, { from: this.#present(former, now), since: now });
      this.#until = now + MOVE;
    } else if (former) {
      Object.assign(point, { from: former.from, since: former.since });
    }
    this.#points.set(row.key, point);
  }

  /** The position of a point that may be on its way. */
  #present({ from, at, since }, now) {
    const part = Math.min(1, (now - since) / MOVE);
    const eased = 1 - (1 - part) ** 2;
    return since === 0 ? at : [from[0] + turned(at[0] - from[0]) * eased, from[1] + (at[1] - from[1]) * eased];
  }

  #at(pixel, within = NEAR) {
    const now = performance.now();
    let [nearest, distance] = [null, within];
    for (const point of this.#points.values()) {
      const [x, y] = this.#projection.pixel(this.#present(point, now));
      const away = Math.hypot(x - pixel[0], y - pixel[1]);
      if (away < distance) [nearest, distance] = [point.key, away];
    }
    return nearest;
  }

  /** Shows all points, and goes on to do so. */
  #fit() {
    this.#hasMoved = false;
    this.#later();
  }

  #later() {
    if (!this.#isShown) return;
    this.#timer ??= setTimeout(() => requestAnimationFrame((now) => {
      this.#timer = null;
      const pause = this.#moves > MANY ? SELDOM : EVERY;
      this.#moves = 0;
      this.#draw(now);
      // A machine that draws slowly draws less often, so that the page stays quick.
      this.#next = performance.now() + Math.max(pause, (performance.now() - now) / SHARE);
    }), Math.max(0, this.#next - performance.now()));
  }

  #draw(now) {
    if (!this.#painter.resize()) return;
    const points = [...this.#points.values()];
    if (!this.#hasMoved) this.#projection.fit(points.flatMap(({ at, lines }) => [at, ...lines.flat()]));
    this.#painter.paint(points.map((point) => ({ ...point, now: this.#present(point, now) })), { selected: this.#selected, hasLabels: byId('map-labels').checked, isAimed: this.#canvas.matches(':focus-visible') });
    const total = this.#collected.rows.size;
    const { trouble, state: { phase } } = this.#collected;
    const located = `${grouped(points.length)} of ${grouped(total)} ${total === 1 ? 'entity' : 'entities'} with a location`;
    const text = trouble ?? (total === 0 && phase === 'loading' ? 'Loading' : located);
    setText(byId('map-state'), text);
    this.#canvas.setAttribute('aria-label', `Map: ${text.replace(/\.$/, '')}. Arrow keys move it, + and − scale it, Home shows all points, and Enter opens the entity nearest to the centre.`);
    if (now < this.#until) this.#later();
  }
}
