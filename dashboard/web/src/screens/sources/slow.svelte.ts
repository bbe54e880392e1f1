// A value that follows another one at most so often: what changes twenty times a second cannot be read twenty times.

export class Slow {
  value = $state(0);
}

export function useSlow(fast: () => number, everyMs: number): Slow {
  const slow = new Slow();
  let lastAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  $effect(() => {
    // Read for its changes; the timer reads what it has become.
    void fast();
    if (timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        lastAt = performance.now();
        slow.value = fast();
      },
      Math.max(0, lastAt + everyMs - performance.now()),
    );
  });
  $effect(() => () => clearTimeout(timer));
  return slow;
}
