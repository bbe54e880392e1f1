// What a person does to incidents: at once where nothing more is needed, else through the dialog that the shell shows.
//
// Nothing is sent while the hub cannot be reached: the person is told, and nothing is done later behind their back.

import * as hub from '../api/hub';
import type { StepName } from '../api/hub';
import type { Failure } from '../api/client';
import type { Incident, StepBody } from '../api/types.gen';
import { failureText } from '../components/failure';
import { town } from '../events/town.svelte';
import { titleText, words } from '../i18n/words.svelte';
import { session } from '../session/session.svelte';
import { toasts } from '../shell/toasts.svelte';
import { may, needsOf } from './flow';

/** Red and orange want a second press within this time. */
const CONFIRM_MS = 4000;

class Actions {
  /** The move that waits for its fields. */
  asked = $state.raw<{ incident: Incident; move: StepName } | undefined>(undefined);
  /** The incident whose acknowledgement waits for the second press. */
  confirming = $state('');
  /** Moves that are on their way, as `ID step`. Another move does not wait for them: quick hands must not lose a key. */
  #sent = $state.raw<ReadonlySet<string>>(new Set());
  /** Whether the report dialog is open. */
  reporting = $state(false);
  /** Whether the search is open. */
  searching = $state(false);

  #confirmTimer: ReturnType<typeof setTimeout> | undefined;

  /** Whether this move of the incident is on its way. */
  isBusy(incident: Incident, move: StepName): boolean {
    return this.#sent.has(`${incident.id} ${move}`);
  }

  may(incident: Incident, move: StepName): boolean {
    return may(incident, move, { name: session.name, role: session.role });
  }

  /** Takes a move, or asks for what it needs. */
  run(incident: Incident | undefined, move: StepName): void {
    if (!incident || !this.may(incident, move) || this.isBusy(incident, move)) return;
    if (needsOf(move).length) this.asked = { incident, move };
    else if (move === 'acknowledge') this.#acknowledge(incident);
    else void this.#tell(incident, move);
  }

  #acknowledge(incident: Incident): void {
    const grave = incident.level === 'red' || incident.level === 'orange';
    if (grave && this.confirming !== incident.id) {
      this.confirming = incident.id;
      clearTimeout(this.#confirmTimer);
      this.#confirmTimer = setTimeout(() => (this.confirming = ''), CONFIRM_MS);
      return;
    }
    this.confirming = '';
    void this.#tell(incident, 'acknowledge');
  }

  async #tell(incident: Incident, move: StepName): Promise<void> {
    const failure = await this.send(incident, move, {});
    if (failure) toasts.say(words.common.pair(words.actions.failed(words.actions.moves[move]), failureText(failure)), failure.kind === 'http' ? failure.message : undefined);
  }

  /** Sends a move; answers with why it failed. */
  async send(incident: Incident, move: StepName, body: StepBody): Promise<Failure | undefined> {
    const key = `${incident.id} ${move}`;
    this.#sent = new Set([...this.#sent, key]);
    const answer = await hub.incidents.step(incident.id, move, body);
    this.#sent = new Set([...this.#sent].filter((other) => other !== key));
    if (answer.outcome === 'aborted') return undefined;
    if (answer.outcome === 'error') return answer.failure;
    town.put(answer.data);
    toasts.say(words.actions.done(words.actions.moves[move]), titleText(incident.title));
    return undefined;
  }
}

export const actions = new Actions();
