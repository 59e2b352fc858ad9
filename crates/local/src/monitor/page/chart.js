import { byId, rateText, setText } from './dom.js';

const SECONDS = 60;
/** Seconds over which the rate is taken, all of them over. */
const WINDOW = 3;
const KINDS = ['updated', 'created', 'deleted'];
const SVG = 'http://www.w3.org/2000/svg';

/** Events per second during the last minute, as stacked bars. */
export class Chart {
  #chart = byId('chart');
  #paths;
  /** The events of each second, newest at the end of the ring, by kind. */
  #ring = Array.from({ length: SECONDS + 1 }, () => ({ second: 0, updated: 0, created: 0, deleted: 0 }));

  constructor() {
    this.#paths = KINDS.map((kind) => {
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('data-kind', kind);
      return this.#chart.appendChild(path);
    });
    setInterval(() => { if (!document.hidden) this.draw(); }, 500);
  }

  /** Counts an event. Entities that left the filter are no change. */
  count(kind) {
    if (!KINDS.includes(kind)) return;
    this.#bucket(Math.floor(Date.now() / 1000))[kind] += 1;
  }

  draw() {
    const now = Math.floor(Date.now() / 1000);
    const seconds = Array.from({ length: SECONDS }, (_, index) => this.#bucket(now - SECONDS + 1 + index, true));
    const totals = seconds.map((bucket) => bucket.updated + bucket.created + bucket.deleted);
    const peak = Math.max(...totals);
    const top = Math.max(peak, 4);
    const base = new Array(SECONDS).fill(0);
    KINDS.forEach((kind, which) => {
      let shape = '';
      seconds.forEach((bucket, index) => {
        if (bucket[kind] === 0) return;
        const height = (bucket[kind] / top) * 96;
        const y = 100 - base[index] - height;
        base[index] += height;
        shape += `M${index + 0.14} ${y.toFixed(2)}h.72v${height.toFixed(2)}h-.72z`;
      });
      this.#paths[which].setAttribute('d', shape);
    });
    const rate = totals.slice(-1 - WINDOW, -1).reduce((sum, total) => sum + total, 0) / WINDOW;
    setText(byId('rate'), rateText(rate));
    setText(byId('peak'), peak > 0 ? `peak ${rateText(peak)} per second` : '');
  }

  #bucket(second, readOnly = false) {
    const bucket = this.#ring[second % this.#ring.length];
    if (bucket.second === second) return bucket;
    if (readOnly) return { updated: 0, created: 0, deleted: 0 };
    return Object.assign(bucket, { second, updated: 0, created: 0, deleted: 0 });
  }
}
