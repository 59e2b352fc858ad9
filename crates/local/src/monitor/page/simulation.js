import * as api from './api.js';
import { byId, rateText, setMessage, setText } from './dom.js';

/** The switch of the simulation, which is the system's: other pages turn the same one. */
export class Simulation {
  #switch = byId('simulate');
  #rate = byId('simulation-rate');
  #format = byId('simulation-format');
  #partial = byId('simulation-partial');
  #tenant;
  #running = null;
  #busy = false;
  /** Grows when the user changes something and when the system has answered. A status asked for before is out of date. */
  #age = 0;

  constructor(tenant) {
    this.#tenant = tenant;
    this.#switch.addEventListener('click', () => this.#turn(!this.#running));
    for (const setting of [this.#rate, this.#format, this.#partial]) {
      setting.addEventListener('change', () => { if (this.#running) this.#turn(true); });
    }
  }

  get age() {
    return this.#age;
  }

  /** Shows the state that the system reports, if it was asked for it at this age. */
  report(state, age) {
    if (!this.#busy && age === this.#age) this.#show(state);
  }

  #show({ available, running }) {
    this.#running = running;
    this.#switch.disabled = !available;
    this.#switch.setAttribute('aria-checked', String(running !== null));
    if (running) this.#adopt(running);
    const idle = available ? 'Rooms, sensors, vehicles and depots with realistic changes.' : 'This system has no simulator.';
    setText(byId('simulation-text'), running ? `${rateText(running.rate)} events per second in ${running.tenant}` : idle);
  }

  /** Shows the settings of the running simulation, except in the control that the user is changing. */
  #adopt({ rate, format, partial }) {
    if (document.activeElement !== this.#rate) this.#rate.value = rate;
    if (document.activeElement !== this.#format) this.#format.value = format;
    this.#partial.checked = partial;
  }

  /** The simulation that the controls describe, for the tenant of the running one. */
  get #wanted() {
    // The server's words for a bad rate are better than a browser's.
    const rate = this.#rate.value === '' ? null : Number(this.#rate.value);
    return { tenant: this.#running?.tenant ?? this.#tenant(), rate, format: this.#format.value, partial: this.#partial.checked };
  }

  async #turn(on) {
    this.#busy = true;
    this.#age += 1;
    let answer;
    try {
      answer = on ? await api.startSimulation(this.#wanted) : await api.stopSimulation();
      setMessage(byId('simulation-error'), null);
    } catch (error) {
      setMessage(byId('simulation-error'), api.reason(error));
    }
    this.#busy = false;
    this.#age += 1;
    if (answer) this.#show(answer);
  }
}
