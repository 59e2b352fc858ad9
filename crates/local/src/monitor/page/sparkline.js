const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT, EDGE] = [120, 24, 2];

/** An empty sparkline. */
export function sparkline() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.append(document.createElementNS(SVG, 'path'));
  return svg;
}

/** Draws two or more points `{ at, number }`, the oldest first. */
export function drawSparkline(svg, points) {
  const numbers = points.map(({ number }) => number);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const [from, to] = [points[0].at, points.at(-1).at];
  const x = (at, index) => (to > from ? ((at - from) / (to - from)) : index / (points.length - 1)) * (WIDTH - 2 * EDGE) + EDGE;
  // Of halves, because the difference of the largest numbers is infinite.
  const y = (number) => HEIGHT - EDGE - (most > least ? (number / 2 - least / 2) / (most / 2 - least / 2) : 0.5) * (HEIGHT - 2 * EDGE);
  const path = points.map(({ at, number }, index) => `${index === 0 ? 'M' : 'L'}${x(at, index).toFixed(1)} ${y(number).toFixed(1)}`);
  svg.firstChild.setAttribute('d', path.join(''));
  svg.setAttribute('aria-label', least === most ? `Constant, ${least}` : `${points.length} values from ${least} to ${most}`);
}
