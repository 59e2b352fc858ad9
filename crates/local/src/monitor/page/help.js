import { byId } from './dom.js';

/** The dialog with the keys and the columns. Returns a function that opens it. */
export function installHelp() {
  const dialog = byId('help');
  const open = () => { if (!dialog.open) dialog.showModal(); };
  byId('help-open').addEventListener('click', open);
  byId('help-close').addEventListener('click', () => dialog.close());
  // A click beside the dialog hits its backdrop.
  dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close(); });
  return open;
}
