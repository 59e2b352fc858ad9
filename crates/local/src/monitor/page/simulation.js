import * as api from './api.js';
import { byId, rateText, setMessage, setText } from './dom.js';

/** The switch of the simulation, which is the system's: other pages turn the same one. */
export class Simulation {
  #switch = byId('simulate');
  #rate = byId('simulation-rate');
  #tenant;
  #running = null;
  #busy = false;

  constructor(tenant) {
    this.#tenant = tenant;
    this.#switch.addEventListener('click', () => this.#turn(!this.#running));
    this.#rate.addEventListener('change', () => { if (this.#running) this.#turn(true); });
  }

  /** Shows the state that the system reports. */
  show({ available, running }) {
    if (this.#busy) return;
    this.#running = running;
    this.#switch.disabled = !available;
    this.#switch.setAttribute('aria-checked', String(running !== null));
    if (running && document.activeElement !== this.#rate) this.#rate.value = running.rate;
    const idle = available ? 'Rooms, sensors and vehicles with realistic changes.' : 'This system has no simulator.';
    setText(byId('simulation-text'), running ? `${rateText(running.rate)} events per second in ${running.tenant}` : idle);
  }

  async #turn(on) {
    this.#busy = true;
    let answer;
    try {
      // Its own words for a bad rate are better than a browser's.
      const rate = this.#rate.value === '' ? null : Number(this.#rate.value);
      answer = on ? await api.startSimulation(this.#running?.tenant ?? this.#tenant(), rate) : await api.stopSimulation();
      setMessage(byId('simulation-error'), null);
    } catch (error) {
      setMessage(byId('simulation-error'), api.reason(error));
    }
    this.#busy = false;
    if (answer) this.show(answer);
  }
}
