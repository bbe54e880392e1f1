// A list that does not move under a person's pointer or focus: what is new waits, what ended stays in its place.

export interface Held {
  /** What is shown, in order. */
  shown: string[];
  /** What is there but not shown yet. */
  waiting: string[];
}

/** `live` is the true order; `held` says whether rows must stay where they are. */
export function hold(shown: readonly string[], live: readonly string[], held: boolean): Held {
  if (!held || shown.length === 0) return { shown: [...live], waiting: [] };
  const known = new Set(shown);
  return { shown: [...shown], waiting: live.filter((id) => !known.has(id)) };
}
