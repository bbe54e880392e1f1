// Finds by parts of names. Pure: what there is in, the best few out.

export interface Entry {
  key: string;
  /** What is matched, in lower case. */
  text: string;
  href: string;
}

/** Entries that hold every word of the question; those that begin with it first, then in the order given. */
export function find<E extends Entry>(entries: Iterable<E>, question: string, most: number): E[] {
  const parts = question.toLowerCase().split(/\s+/).filter(Boolean);
  const [first = ''] = parts;
  if (!first) return [];
  const begins: E[] = [];
  const holds: E[] = [];
  for (const entry of entries) {
    if (!parts.every((part) => entry.text.includes(part))) continue;
    (entry.text.startsWith(first) ? begins : holds).push(entry);
    if (begins.length >= most) break;
  }
  return [...begins, ...holds].slice(0, most);
}
