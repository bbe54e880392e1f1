// A list that comes in pages, the newest first: the first page is a question like any other, further ones are added to it.

import type { Answer, Failure } from './client';
import { useQuery, type Query } from './query.svelte';

type Cursor = number | string;

export interface Page<T, C extends Cursor = number> {
  items: T[];
  next_cursor?: C | null;
}

export type LoadPage<T, P extends Page<T, C>, C extends Cursor = number> = (cursor: C | undefined, signal?: AbortSignal) => Promise<Answer<P>>;

export class Paged<T, P extends Page<T, C>, C extends Cursor = number> {
  /** The first page, with its five states. */
  readonly first: Query<P>;
  /** Why the last further page failed. */
  failure = $state.raw<Failure | undefined>(undefined);
  busy = $state(false);
  #more = $state.raw<T[]>([]);
  #cursor = $state.raw<C | undefined>(undefined);
  #load: () => LoadPage<T, P, C>;

  /** `load` is read anew when what it reads has changed; the list then begins again. */
  constructor(load: () => LoadPage<T, P, C>) {
    this.#load = load;
    this.first = useQuery<P>(() => {
      const page = load();
      return (signal) => page(undefined, signal);
    });
    $effect(() => {
      this.#more = [];
      this.#cursor = this.first.data?.next_cursor ?? undefined;
      this.failure = undefined;
    });
  }

  get rows(): readonly T[] {
    return [...(this.first.data?.items ?? []), ...this.#more];
  }

  get hasMore(): boolean {
    return this.#cursor !== undefined;
  }

  async more(): Promise<void> {
    if (this.busy || this.#cursor === undefined) return;
    const began = this.first.data;
    this.busy = true;
    const answer = await this.#load()(this.#cursor);
    this.busy = false;
    // The list has begun again meanwhile.
    if (began !== this.first.data) return;
    this.failure = answer.outcome === 'error' ? answer.failure : undefined;
    if (answer.outcome !== 'success') return;
    this.#more = [...this.#more, ...answer.data.items];
    this.#cursor = answer.data.next_cursor ?? undefined;
  }
}
