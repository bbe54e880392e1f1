// Times and durations as people read them.

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit' });

/** 14:03:22, in this machine's zone. */
export function timeText(at: number | string): string {
  return TIME.format(typeof at === 'string' ? Date.parse(at) : at);
}

/** 2026-11-23 14:03:22, in this machine's zone. */
export function dateTimeText(at: number | string): string {
  const ms = typeof at === 'string' ? Date.parse(at) : at;
  return `${DAY.format(ms)} ${TIME.format(ms)}`;
}

/** The time alone when it is today, else with the date. */
export function shortTimeText(at: number | string, now: number): string {
  const ms = typeof at === 'string' ? Date.parse(at) : at;
  return DAY.format(ms) === DAY.format(now) ? TIME.format(ms) : dateTimeText(ms);
}

/** 02:14 minutes, 1:02:14 hours, 3d 02h; never negative. */
export function durationText(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  if (s >= 86_400) return `${Math.floor(s / 86_400)}d ${two(Math.floor((s % 86_400) / 3600))}h`;
  const minutes = `${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${minutes}` : minutes;
}

/** A count with thousands apart. */
export function countText(n: number): string {
  return n.toLocaleString('en-US');
}

/** A reading's number: as many digits as tell something. */
export function numberText(n: number): string {
  const size = Math.abs(n);
  return n.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
