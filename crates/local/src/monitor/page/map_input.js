/** The pixels by which an arrow key moves the map, and those that make a drag of a click. */
const STEP = 60;
const DRAG = 4;

/** Moves and scales a map by mouse, touch and keys. */
export class MapInput {
  #canvas;
  #projection;
  #report;
  #pointers = new Map();
  #travelled = 0;

  /** Reports `onMove()`, `onEnter()` and `onFit()`, and `onClick(pixel)` and `onHover(pixel)` on the canvas. */
  constructor(canvas, projection, report) {
    this.#canvas = canvas;
    this.#projection = projection;
    this.#report = report;
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#moved(event));
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), [event.offsetX, event.offsetY]);
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => { if (this.key(event.key)) event.preventDefault(); });
  }

  zoom(factor, pixel) {
    this.#projection.zoom(factor, pixel);
    this.#report.onMove();
  }

  /** Moves the map as a key says. Returns whether the key has a meaning. */
  key(key) {
    const [x, y] = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[key] ?? [0, 0];
    const factor = { '+': 1.5, '=': 1.5, '-': 1 / 1.5 }[key];
    if (factor) this.zoom(factor);
    else if (x || y) this.#move(x, y);
    else if (key === 'Enter') this.#report.onEnter();
    else if (key === 'Home') this.#report.onFit();
    else return false;
    return true;
  }

  #move(x, y) {
    this.#projection.move(x, y);
    this.#report.onMove();
  }

  #down(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.#pointers.size === 1) this.#travelled = 0;
  }

  #moved(event) {
    const to = [event.offsetX, event.offsetY];
    const from = this.#pointers.get(event.pointerId);
    if (!from) {
      this.#report.onHover(to);
      return;
    }
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, pixel]) => pixel);
    this.#pointers.set(event.pointerId, to);
    this.#travelled += Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (this.#travelled < DRAG) return;
    if (others.length === 0) this.#move(to[0] - from[0], to[1] - from[1]);
    else this.zoom(Math.hypot(to[0] - others[0][0], to[1] - others[0][1]) / Math.max(1, Math.hypot(from[0] - others[0][0], from[1] - others[0][1])), others[0]);
  }

  #up(event) {
    const isClick = this.#pointers.delete(event.pointerId) && this.#travelled < DRAG && event.type === 'pointerup';
    if (isClick) this.#report.onClick([event.offsetX, event.offsetY]);
  }
}
