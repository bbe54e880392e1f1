// Which moves an incident may take next, and what each must be told. The hub decides; this spares people buttons that
// would be refused, and asks for what is missing before it is sent. Mirrors `command/src/flow.rs`.

import type { Incident, Role, Step } from '../api/types.gen';
import type { StepName } from '../api/hub';

export interface Person {
  name: string;
  role: Role;
}

/** What a move must be told. */
export type Need = 'reason' | 'responder' | 'verdict' | 'into' | 'text' | 'level';

const STEPS: Step[] = ['report', 'accept', 'file', 'dispatch', 'handle', 'verify', 'close'];

const NEEDS: Partial<Record<StepName, Need[]>> = {
  note: ['text'],
  file: ['level'],
  dispatch: ['responder'],
  close: ['verdict', 'reason'],
  return: ['reason'],
  reject: ['reason'],
  merge: ['into', 'reason'],
  suspend: ['reason'],
  cancel: ['reason'],
  reopen: ['reason'],
};

export function needsOf(move: StepName): Need[] {
  return NEEDS[move] ?? [];
}

const operates = ({ role }: Person) => role === 'operator' || role === 'lead' || role === 'admin';
const leads = ({ role }: Person) => role === 'lead' || role === 'admin';

/** The next of the seven steps: what the incident waits for. None when it has ended or is on hold. */
export function nextStep(incident: Incident): StepName | undefined {
  if (incident.outcome || incident.suspended) return undefined;
  return STEPS[STEPS.indexOf(incident.step) + 1] as StepName | undefined;
}

/** Whether this person may take the move now. */
export function may(incident: Incident, move: StepName, person: Person): boolean {
  const ended = incident.outcome != null;
  const isResponder = incident.responder === person.name;
  const at = STEPS.indexOf(incident.step);
  const flows = !ended && !incident.suspended;
  switch (move) {
    case 'note':
      return person.role !== 'viewer';
    case 'acknowledge':
      return !ended && operates(person) && !incident.acknowledged_by;
    case 'take':
      return !ended && operates(person) && incident.owner !== person.name;
    case 'accept':
    case 'file':
      return flows && operates(person) && nextStep(incident) === move;
    case 'dispatch':
      return flows && operates(person) && (incident.step === 'file' || incident.step === 'dispatch');
    case 'handle':
      return flows && (operates(person) || isResponder) && incident.step === 'dispatch';
    case 'return':
      return flows && (operates(person) || isResponder) && (incident.step === 'dispatch' || incident.step === 'handle');
    case 'verify':
      return flows && operates(person) && !isResponder && incident.step === 'handle';
    case 'close':
      return flows && operates(person) && at >= STEPS.indexOf('accept');
    case 'reject':
    case 'merge':
    case 'cancel':
      return !ended && operates(person);
    case 'suspend':
      return !ended && leads(person) && !incident.suspended;
    case 'resume':
      return !ended && leads(person) && incident.suspended;
    case 'reopen':
      return ended && leads(person);
  }
}

/** Verdicts that can be given now: what was real is closed after it was verified. */
export function verdictsAt(incident: Incident): ('true' | 'false' | 'nuisance')[] {
  return incident.step === 'verify' ? ['true', 'false', 'nuisance'] : ['false', 'nuisance'];
}
