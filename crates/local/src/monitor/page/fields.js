import { FIELDS, entries } from './draft.js';
import { byId, setMessage } from './dom.js';

/** The field at fault, by the code of an error. */
const BY_CODE = { invalid_entity_types: 'types', invalid_entity_ids: 'ids', invalid_id_pattern: 'pattern', invalid_q: 'q' };

/** The field at fault, by its name in the contract, with which the message of an error begins. */
const BY_NAME = {
  'geoQ.georel': 'georel', 'geoQ.geometry': 'geometry', 'geoQ.coordinates': 'coordinates', 'geoQ.geoproperty': 'geoproperty',
  geoQ: 'coordinates', subscription: 'name', notificationTrigger: 'kinds', watchedAttributes: 'watched', servicePath: 'path',
  attributes: 'attributes', representation: 'representation',
};

/** The fields of one subscription in the document. The id of each is its name in a draft. */
export class Fields {
  #more = byId('more');
  #error = byId('filter-error');

  /** The contents of the fields. */
  read() {
    return Object.fromEntries(FIELDS.map((field) => [field, this.#value(field)]));
  }

  /** Shows a draft. The name of the default subscription is no field. */
  write(draft) {
    for (const field of FIELDS) {
      if (field === 'kinds') this.#checkKinds(draft.kinds);
      else byId(field).value = draft[field];
    }
    byId('named').hidden = draft.name === '';
    this.arrange();
  }

  /** Shows the fields that the chosen relation has, and tells how many of the fields behind "More" are used. */
  arrange() {
    const georel = byId('georel').value;
    byId('distance-field').hidden = !georel.startsWith('near;');
    byId('place').hidden = georel === '';
    const simple = ['name', 'types', 'pattern', 'distance', 'geometry', 'coordinates', 'geoproperty'];
    const used = FIELDS.filter((field) => !simple.includes(field) && this.#value(field)).length;
    byId('used').textContent = used > 0 ? used : '';
  }

  /** Opens the fields behind "More" if one of them is used. */
  reveal() {
    if (byId('used').textContent) this.#more.open = true;
  }

  /** Shows an error at the field that it is about, or below all if it is about none; null if there is no error. */
  blame(error) {
    const blamed = error && this.#blamed(error);
    for (const field of FIELDS) {
      const node = byId(field);
      const others = (node.getAttribute('aria-describedby') ?? '').split(' ').filter((id) => id && id !== 'filter-error');
      const described = field === blamed ? [...others, 'filter-error'] : others;
      if (field === blamed) node.setAttribute('aria-invalid', 'true');
      else node.removeAttribute('aria-invalid');
      if (described.length > 0) node.setAttribute('aria-describedby', described.join(' '));
      else node.removeAttribute('aria-describedby');
    }
    const place = blamed ? byId(blamed).closest('.field') : byId('filter-outcome');
    if (this.#error.parentElement !== place) place.append(this.#error);
    if (blamed && this.#more.contains(place)) this.#more.open = true;
    setMessage(this.#error, error?.message);
  }

  #blamed({ code, message }) {
    if (BY_CODE[code]) return BY_CODE[code];
    if (code !== 'invalid_geo_q' && code !== 'invalid_subscription') return undefined;
    const field = BY_NAME[/^\w+(\.\w+)?/.exec(message)?.[0]];
    // The page offers no wrong relation; its distance can be wrong.
    return field === 'georel' && !byId('distance-field').hidden ? 'distance' : field;
  }

  #value(field) {
    if (field !== 'kinds') return byId(field).value;
    return [...byId('kinds').querySelectorAll('input:checked')].map(({ value }) => value).join(',');
  }

  #checkKinds(kinds) {
    const checked = new Set(entries(kinds));
    for (const box of byId('kinds').querySelectorAll('input')) box.checked = checked.has(box.value);
  }
}
