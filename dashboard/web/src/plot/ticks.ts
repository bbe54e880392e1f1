// The marks of a time axis: round times, so many as fit. Pure.

const STEPS_S = [5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

export interface Tick {
  /** In ms since the epoch. */
  at: number;
  text: string;
}

/** At most `most` marks between two times in ms, on round local times. */
export function ticks(from: number, to: number, most: number): Tick[] {
  const step = (STEPS_S.find((one) => (to - from) / 1000 / one <= most) ?? STEPS_S[STEPS_S.length - 1] ?? 60) * 1000;
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const made: Tick[] = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) made.push({ at, text: textOf(at, step) });
  return made;
}

function textOf(at: number, step: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (step >= 86_400_000) return day;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step < 60_000) return `${minutes}:${two(date.getSeconds())}`;
  return date.getHours() === 0 && date.getMinutes() === 0 ? day : minutes;
}
