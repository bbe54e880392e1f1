// Where we are: the path and its query. All state that a colleague may want to be sent lives here.

export interface Route {
  path: string;
  query: URLSearchParams;
}

class Router {
  current = $state.raw<Route>(here());

  /** Follows the browser's buttons and plain clicks on links of ours. */
  start(): () => void {
    const onPop = () => (this.current = here());
    const onClick = (event: MouseEvent) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = (event.target as Element | null)?.closest('a');
      if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      event.preventDefault();
      this.go(link.pathname + link.search);
    };
    addEventListener('popstate', onPop);
    document.addEventListener('click', onClick);
    return () => {
      removeEventListener('popstate', onPop);
      document.removeEventListener('click', onClick);
    };
  }

  go(to: string, replace = false): void {
    if (to === location.pathname + location.search) return;
    const depth = Number((history.state as { depth?: number } | null)?.depth ?? 0);
    history[replace ? 'replaceState' : 'pushState']({ depth: replace ? depth : depth + 1 }, '', to);
    this.current = here();
  }

  /** To where the person came from, or to `otherwise` when they came here from outside. */
  back(otherwise: string): void {
    if ((history.state as { depth?: number } | null)?.depth) history.back();
    else this.go(otherwise);
  }

  /** Changes some of the query; an empty value takes its name out. */
  set(changes: Record<string, string | undefined>, replace = true): void {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    this.go(location.pathname + (text ? `?${text}` : ''), replace);
  }

  param(name: string): string {
    return this.current.query.get(name) ?? '';
  }
}

function here(): Route {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

export const router = new Router();
