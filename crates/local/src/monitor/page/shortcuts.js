import { byId } from './dom.js';

/** Keys that work outside input fields. The page shows each key beside its action. */
export function installShortcuts(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target } = event;
    if (event.key === 'Escape' && target === byId('search')) {
      target.value = '';
      target.dispatchEvent(new Event('input', { bubbles: true }));
      target.blur();
      return;
    }
    if (event.key === 'Escape' && target.matches('input, textarea, select')) target.blur();
    const act = actions[event.key.toLowerCase()];
    if (!act || target.matches('input, textarea, select')) return;
    event.preventDefault();
    act();
  });
}
