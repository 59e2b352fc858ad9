import { byId } from './dom.js';

/** The keys that move through rows. */
const MOVES = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End', 'PageUp', 'PageDown', 'Enter', '+', '-', '=']);

/** Elements that take text, or that change with the arrow keys. */
const isField = (target) => target.matches('input:not([type="checkbox"]), textarea, select');

/** The keys that choose a tab. */
const OF_TABS = new Set(['ArrowLeft', 'ArrowRight', 'Home', 'End']);

/** Elements that need these keys for themselves. */
const takes = (target, key) => (key === 'Enter' && target.matches('button, summary, a, input'))
  || (OF_TABS.has(key) && target.closest('[role="tablist"]') !== null)
  || target.closest('.scroll, pre, .entity') !== null;

/** Keys that work outside input fields. The page shows each key beside its action. `onMove(key)` takes the others and returns whether it used them. */
export function installShortcuts(actions, onMove, onEscape) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (byId('help').open) return;
    if (key === 'Escape' && target.matches('[type="search"]')) {
      target.value = '';
      target.dispatchEvent(new Event('input', { bubbles: true }));
      target.blur();
      return;
    }
    if (key === 'Escape' && isField(target)) {
      target.blur();
      return;
    }
    if (key === 'Escape') onEscape();
    if (isField(target)) return;
    if (MOVES.has(key) && !takes(target, key) && onMove(key)) {
      event.preventDefault();
      return;
    }
    const act = actions[key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
