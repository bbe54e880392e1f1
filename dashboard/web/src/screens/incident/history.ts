// What the transitions of an incident say: the spans of its alarms, when each step was done, the lines of its record.

import type { IncidentTransition, Level, Step } from '../../api/types.gen';

export interface AlarmSpan {
  alarm: string;
  source: string | undefined;
  level: Level;
  /** Higher or lower levels since, with their times in ms, as far as the record tells them. */
  levels: { at: number; level: Level }[];
  /** In ms; `to` is none while it is active. */
  from: number;
  to: number | undefined;
}

export function alarmSpans(transitions: readonly IncidentTransition[]): AlarmSpan[] {
  const spans = new Map<string, AlarmSpan>();
  for (const { at, actor, change } of transitions) {
    const time = Date.parse(at);
    if (change.type === 'reported' && change.origin.type === 'alarm') {
      spans.set(change.origin.id, { alarm: change.origin.id, source: change.source ?? undefined, level: change.level, levels: [], from: time, to: undefined });
    } else if (change.type === 'alarm_joined') {
      spans.set(change.alarm, { alarm: change.alarm, source: change.source, level: change.level, levels: [], from: time, to: undefined });
    } else if (change.type === 'level_changed') {
      // The record tells the incident's level. It is that of the alarm when no other is active.
      const active = [...spans.values()].filter((span) => span.to === undefined);
      const [only] = active;
      if (only && active.length === 1 && actor.type === 'hub') only.levels.push({ at: time, level: change.to });
    } else if (change.type === 'alarm_cleared') {
      const span = spans.get(change.alarm);
      if (span) span.to = time;
    }
  }
  return [...spans.values()];
}

export interface Done {
  at: number;
  by: string | undefined;
}

/** When each step was last done. A returned incident stands at "filed" again, so later steps are undone. */
export function stepsDone(transitions: readonly IncidentTransition[]): Partial<Record<Step, Done>> {
  const done: Partial<Record<Step, Done>> = {};
  for (const { at, actor, change } of transitions) {
    const mark: Done = { at: Date.parse(at), by: actor.type === 'user' ? actor.id : undefined };
    if (change.type === 'reported') done.report = mark;
    else if (change.type === 'advanced') done[change.to] = mark;
    else if (change.type === 'dispatched') done.dispatch = mark;
    else if (change.type === 'closed') done.close = mark;
    else if (change.type === 'returned') {
      delete done.dispatch;
      delete done.handle;
      delete done.verify;
    } else if (change.type === 'reopened') delete done.close;
  }
  return done;
}

/** When it was first acknowledged. */
export function acknowledgedAt(transitions: readonly IncidentTransition[]): number | undefined {
  const found = transitions.find(({ change }) => change.type === 'acknowledged');
  return found && Date.parse(found.at);
}
