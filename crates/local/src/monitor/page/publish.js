import * as api from './api.js';
import { byId, setMessage, setText } from './dom.js';
import { members } from './json.js';


/** The form that publishes a change, for the tenant that is watched. */
export class PublishForm {
  #form = byId('publish');
  #data = byId('data');

  constructor(tenant) {
    this.#form.addEventListener('submit', (event) => { event.preventDefault(); this.#publish(tenant()); });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.#form.requestSubmit(); }
    });
    byId('change').addEventListener('change', ({ target }) => {
      byId('changed').disabled = target.value !== 'entityUpdated';
      this.#data.disabled = target.value === 'entityDeleted';
    });
  }

  async #publish(tenant) {
    let detail;
    try {
      detail = this.#detail(tenant);
      this.#data.removeAttribute('aria-invalid');
    } catch (error) {
      this.#data.setAttribute('aria-invalid', 'true');
      this.#data.focus();
      this.#tell(`The data is no JSON object: ${error.message}`);
      return;
    }
    try {
      const { id } = await api.publish(detail);
      this.#tell(null, `✓ ${id}`);
    } catch (error) {
      this.#tell(api.reason(error));
    }
  }

  /** The event's detail. The data goes into it as it is written, so that no number is rewritten on the way. */
  #detail(tenant) {
    const type = byId('change').value;
    const fields = { type, tenant, entityId: byId('entity-id').value, entityType: byId('entity-type').value, timestamp: new Date().toISOString() };
    const data = this.#data.disabled ? '{}' : this.#data.value.trim() || '{}';
    const parsed = JSON.parse(data);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('it is something else');
    if (type === 'entityUpdated') {
      const named = byId('changed').value.split(',').map((name) => name.trim()).filter(Boolean);
      fields.changedAttributes = named.length > 0 ? named : members(data).map(([name]) => name);
    }
    return `${JSON.stringify(fields).slice(0, -1)},"data":${data}}`;
  }

  #tell(error, published = '') {
    setMessage(byId('publish-error'), error);
    setText(byId('published'), published);
  }
}
