import { copy } from './copy.js';
import { describe } from './describe.js';
import { byId, setText } from './dom.js';
import { draft, drafts, wire } from './draft.js';
import { Fields } from './fields.js';
import { SeenTypes } from './seen.js';
import { DEFAULT } from './stream.js';
import { SubscriptionTabs } from './tabs.js';

/** The longest pause while typing, in milliseconds. */
const TYPING = 300;

/** A text as a pattern that matches it and nothing else, in the server's regular expressions. */
const literally = (text) => `^${text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')}$`;

/** A subscription in the form: its draft, the name under which it was in force last, and the answer about it. */
const subscription = (one) => ({ draft: one, isDefault: one.name === '', held: null, inForce: null, error: null });

/** Why a subscription is not in force, and what to do; null if it is, or if the server has not answered yet. */
function unused({ draft, error, inForce }) {
  if (draft.off) return 'the selected subscription is off. Switch it on, or select another one.';
  return error && !inForce ? 'the filter is not in force. Correct it, or select another subscription.' : null;
}

/** The message that sets a subscription. */
const messageOf = (one) => (one.draft.off ? '' : JSON.stringify({ action: 'subscribe', ...wire(one.draft) }));

/**
 * Builds the subscriptions of the page. The server judges them: its patterns are those of Rust's `regex`, which a browser does
 * not have. Only the names are compared here, because the server replaces a subscription of the same name.
 */
export class FilterForm {
  #all;
  #selected;
  #fields = new Fields();
  #seen = new SeenTypes(() => this.#changed());
  #tabs = new SubscriptionTabs({ onSelect: (one) => this.#select(one), onAdd: () => this.#add() });
  #report;
  #timer;

  /**
   * Reports `onSet(fields)` and `onRemove(name)` after the list of `subscriptions` has changed, and `onDraft()` if only a draft
   * has changed. Reports `onInForce(filter, reason)` with the filter of the selected subscription that is in force, or with null and the
   * reason.
   */
  constructor(recalled, report) {
    this.#all = drafts(recalled).map(subscription);
    this.#report = report;
    const form = byId('filter');
    form.addEventListener('submit', (event) => { event.preventDefault(); this.#changed(); });
    form.addEventListener('input', ({ target }) => {
      clearTimeout(this.#timer);
      // A name is complete when its field is left.
      if (target !== byId('name')) this.#timer = setTimeout(() => this.#changed(), TYPING);
    });
    byId('name').addEventListener('change', () => this.#changed());
    byId('remove').addEventListener('click', () => this.#remove());
    byId('copy-message').addEventListener('click', ({ target }) => copy(messageOf(this.#selected), target));
    this.#select(this.#all[0]);
    this.#fields.reveal();
  }

  get drafts() {
    return this.#all.map((one) => one.draft);
  }

  /** As `subscribe` takes them. */
  get subscriptions() {
    return this.#all.filter((one) => !one.draft.off && !this.#nameFault(one)).map((one) => wire(one.draft));
  }

  /** Takes the server's answer to a subscription. */
  answered(name, { inForce, code, message }) {
    const one = this.#find(name);
    if (!one) {
      // It was given another name, or was removed, before the server answered.
      if (inForce) this.#report.onRemove(name);
      return;
    }
    one.error = message ? { code, message } : null;
    if (inForce) {
      const former = one.held;
      one.inForce = inForce;
      one.held = name;
      // It was given another name.
      if (former !== null && former !== name && !this.#find(former)) this.#report.onRemove(former);
    }
    this.#show();
  }

  offer(types) {
    this.#seen.offer(types);
  }

  only({ types, entityId }) {
    if (types) byId('types').value = types.join(', ');
    if (entityId !== undefined) byId('pattern').value = literally(entityId);
    this.#changed();
  }

  #find(name) {
    return this.#all.find((one) => one.draft.name.trim() === name);
  }

  /** Why a subscription cannot be told from another one; null if it can. */
  #nameFault(one) {
    const name = one.draft.name.trim();
    if (!one.isDefault && name === '') return 'Give it a name: the default subscription has none.';
    if (name === DEFAULT) return 'The default subscription has this name.';
    return this.#find(name) === one ? null : 'Another subscription has this name.';
  }

  #select(one) {
    // The text just written belongs to the other one.
    if (this.#timer) this.#changed();
    this.#selected = one;
    this.#fields.write(one.draft);
    this.#show();
  }

  #add() {
    if (this.#timer) this.#changed();
    let number = 1;
    while (this.#find(`subscription-${number}`)) number += 1;
    const one = subscription(draft({ name: `subscription-${number}` }));
    this.#all.push(one);
    this.#select(one);
    this.#report.onSet(wire(one.draft));
    byId('name').focus();
    byId('name').select();
  }

  /** The default subscription stays in the form, to be switched on again. */
  #remove() {
    const one = this.#selected;
    clearTimeout(this.#timer);
    this.#timer = null;
    if (one.isDefault) {
      one.draft.off = !one.draft.off;
      if (!one.draft.off) return this.#changed();
    } else {
      this.#all = this.#all.filter((other) => other !== one);
    }
    one.inForce = null;
    one.error = null;
    const name = one.held ?? one.draft.name.trim();
    // A name that was taken belongs to the other one.
    if (one.isDefault || !this.#find(name)) this.#report.onRemove(name);
    else this.#report.onDraft();
    this.#select(one.isDefault ? one : this.#all[0]);
    this.#tabs.focus(this.#selected);
    return undefined;
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const one = this.#selected;
    const name = one.isDefault ? '' : this.#fields.read().name;
    one.draft = { ...draft(this.#fields.read()), name };
    const fault = this.#nameFault(one);
    one.error = fault ? { code: 'invalid_subscription', message: `subscription: ${fault}` } : null;
    this.#fields.arrange();
    this.#show();
    if (fault) this.#report.onDraft();
    else this.#report.onSet(wire(one.draft));
  }

  #show() {
    const one = this.#selected;
    const isAlone = this.#all.length === 1;
    this.#tabs.show(this.#all, one);
    this.#seen.press();
    byId('remove').hidden = isAlone && !one.draft.off;
    setText(byId('remove'), !one.isDefault ? 'Remove' : one.draft.off ? 'Switch on' : 'Switch off');
    this.#fields.blame(one.error);
    const described = one.inForce ? describe(one.inForce) : '';
    const restricts = described !== '' && (described !== 'every change' || !isAlone);
    setText(byId('filter-state'), this.#state(one, restricts));
    byId('filter-state').dataset.state = one.error || one.draft.off ? 'waiting' : 'good';
    setText(byId('in-force'), restricts ? described : '');
    const message = messageOf(one);
    if (byId('message').textContent !== message) setText(byId('copy-message'), 'Copy');
    setText(byId('message'), message);
    byId('message-part').hidden = message === '';
    this.#report.onInForce(one.inForce, unused(one));
  }

  #state(one, restricts) {
    if (one.draft.off) return 'Off. The subscriptions with a name are in force.';
    if (one.error) return one.inForce ? 'Not in force. The previous filter stays in force.' : 'Not in force.';
    return restricts ? '✓ In force' : '';
  }
}
