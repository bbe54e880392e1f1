// A question that is asked again while its screen is looked at.

import { useQuery, type Load, type Query } from './query.svelte';

/** As `useQuery` with `keep`, and anew every `everyMs` while the page is in sight. */
export function usePolled<T>(load: () => Load<T> | undefined, everyMs: number): Query<T> {
  const query = useQuery(load, true);
  $effect(() => {
    const timer = setInterval(() => {
      // A failure has its own clock.
      if (!document.hidden && !query.loading && !query.failure) void query.reload();
    }, everyMs);
    return () => clearInterval(timer);
  });
  return query;
}
