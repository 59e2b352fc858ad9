import { age } from './time.js';
import * as api from './api.js';
import { byId, element, grouped, setMessage, setText } from './dom.js';
import { member, pretty } from './json.js';

/** The time in which a second click confirms a deletion. */
const SURE = 4000;
const COLUMNS = 6;

/** The dead letters. Their list has no values of entities; the page fetches a whole message when it is opened. */
export class DeadLetters {
  #rows = new Map();
  #busy = false;

  constructor() {
    byId('letters-replay').addEventListener('click', () => this.#replayAll());
    confirmed(byId('letters-delete'), () => this.#act(() => api.deleteLetters()));
    byId('letters').addEventListener('click', ({ target }) => {
      const button = target.closest('button[data-action]');
      if (button) this.#press(button.dataset.action, button.closest('tr'));
    });
  }

  /** The number of dead letters that the system reports. */
  async heard(count) {
    this.#count(count);
    if (this.#busy || (count === 0 && this.#rows.size === 0)) return;
    try {
      this.#show(await api.letters());
    } catch {
      // The status says that the system cannot be reached.
    }
  }

  #show({ total, letters }) {
    this.#count(total);
    const replayable = letters.filter((letter) => letter.replayable).length;
    byId('letters-replay').disabled = replayable === 0;
    const remove = (id) => this.#act(() => api.deleteLetter(id));
    const rows = new Map(letters.map((letter) => [letter.id, this.#rows.get(letter.id) ?? row(letter, remove)]));
    for (const letter of letters) setText(rows.get(letter.id).querySelector('.age'), age(letter.sentAt));
    const changed = rows.size !== this.#rows.size || [...rows.keys()].some((id) => !this.#rows.has(id));
    this.#rows = rows;
    if (!changed) return;
    const shown = [...rows.values()].flatMap((tr) => (tr.details ? [tr, tr.details] : [tr]));
    if (total > letters.length) {
      shown.push(element('tr', {}, element('td', { colspan: COLUMNS, class: 'muted' }, `and ${grouped(total - letters.length)} more`)));
    }
    byId('letters').replaceChildren(...shown);
  }

  #count(total) {
    setText(byId('letters-count'), grouped(total));
    byId('tab-letters').toggleAttribute('data-bad', total > 0);
    setText(byId('letters-state'), total === 0 ? 'There are no dead letters.' : `${grouped(total)} could not be delivered`);
    byId('letters-replay').hidden = byId('letters-delete').hidden = total === 0;
    byId('letters').closest('.scroll').hidden = total === 0;
  }

  #press(action, tr) {
    if (action === 'show') this.#toggle(tr);
    if (action === 'replay') this.#act(() => api.replayLetter(tr.dataset.id));
  }

  /** Calls the system, tells a failure, and shows the list anew. */
  async #act(call) {
    this.#busy = true;
    let problem = null;
    try {
      await call();
    } catch (error) {
      problem = api.reason(error);
    }
    setMessage(byId('letters-error'), problem);
    this.#busy = false;
    await this.heard(this.#rows.size);
  }

  #replayAll() {
    return this.#act(async () => {
      const { letters } = await api.letters();
      // The oldest first, as they happened.
      for (const letter of letters.filter(({ replayable }) => replayable).reverse()) await api.replayLetter(letter.id);
    });
  }

  async #toggle(tr) {
    const button = tr.querySelector('[data-action="show"]');
    if (!tr.details) {
      let text;
      try {
        text = await api.letter(tr.dataset.id);
      } catch (error) {
        setMessage(byId('letters-error'), api.reason(error));
        return;
      }
      const code = element('pre', { tabindex: '0', role: 'region', 'aria-label': 'Event' });
      code.append(pretty(member(text, 'event') ?? text));
      const reason = element('p', { class: 'letter-reason' }, tr.querySelector('.reason').title);
      tr.details = element('tr', { class: 'letter-details' }, element('td', { colspan: COLUMNS }, reason, code));
      tr.after(tr.details);
      tr.details.hidden = true;
    }
    tr.details.hidden = !tr.details.hidden;
    button.setAttribute('aria-expanded', String(!tr.details.hidden));
    setText(button, tr.details.hidden ? 'Show' : 'Hide');
    if (tr.details.hidden) return;
    tr.details.scrollIntoView({ block: 'nearest' });
    tr.scrollIntoView({ block: 'nearest' });
  }
}

/** Calls only if a second click follows soon. */
function confirmed(button, call) {
  const label = button.textContent;
  let timer;
  const reset = () => { clearTimeout(timer); delete button.dataset.sure; setText(button, label); };
  button.addEventListener('click', (event) => {
    event.stopPropagation();
    if (button.dataset.sure) { reset(); call(); return; }
    button.dataset.sure = 'true';
    setText(button, `${label}?`);
    timer = setTimeout(reset, SURE);
  });
}

/** A row, with a function that deletes its letter. */
function row(letter, remove) {
  const action = (name, label, more = {}) => element('button', { type: 'button', class: 'small', 'data-action': name, ...more }, label);
  const deletion = element('button', { type: 'button', class: 'small' }, 'Delete');
  const tr = element('tr', { 'data-id': letter.id },
    element('td', { class: 'numbers age', title: new Date(letter.sentAt).toLocaleString() }, age(letter.sentAt)),
    element('th', { scope: 'row' }, element('span', { class: 'letter-kind', 'data-letter': letter.kind }, letter.kind)),
    element('td', { class: 'mono tenant' }, letter.tenant ?? '–'),
    element('td', { class: 'mono event-id', title: letter.eventId ?? '' }, letter.eventId ?? '–'),
    element('td', { class: 'reason', title: `${letter.errorCode}: ${letter.reason}` }, letter.reason || letter.errorCode),
    element('td', { class: 'buttons' },
      action('show', 'Show', { 'aria-expanded': 'false' }),
      letter.replayable ? action('replay', 'Replay') : null,
      deletion),
  );
  confirmed(deletion, () => remove(letter.id));
  return tr;
}
