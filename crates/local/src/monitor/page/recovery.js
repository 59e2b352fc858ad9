import { byId, grouped, setMessage } from './dom.js';
import { clock } from './time.js';

/** The time for which good news stays. */
const GOOD_FOR = 20_000;

const REASONS = {
  expired: 'the history does not reach back that far',
  too_many: 'too many events were published meanwhile',
  unknown_position: 'the system began a new history',
  unavailable: 'the system has no history of them',
};

/** Says after a lost connection whether an event is missing. */
export class Recovery {
  #node = byId('recovery');
  #timer;

  heard({ replayed, reason, missedSince }) {
    clearTimeout(this.#timer);
    const isComplete = reason === undefined;
    this.#node.toggleAttribute('data-bad', !isComplete);
    if (isComplete) {
      const events = `${grouped(replayed)} ${replayed === 1 ? 'event' : 'events'}`;
      setMessage(this.#node, `Recovered: no event is missing. ${replayed === 0 ? 'None was published meanwhile.' : `${events} came from the history.`}`);
      this.#timer = setTimeout(() => this.clear(), GOOD_FOR);
    } else {
      const since = missedSince ? ` since ${clock(missedSince)}` : '';
      setMessage(this.#node, `Not recovered: events${since} may be missing, because ${REASONS[reason] ?? reason}.`);
    }
  }

  clear() {
    setMessage(this.#node, null);
  }
}
