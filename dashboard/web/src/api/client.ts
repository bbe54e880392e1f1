// One way to ask the hub: every answer is a success, an abort, or an error that the console can tell in words.
// Does not belong here: which routes there are (hub.ts), when to ask (query.svelte.ts).

export interface Failure {
  /** `network` when no answer came at all. */
  kind: 'network' | 'http';
  /** The HTTP status; 0 for `network`. */
  status: number;
  /** The hub's code, as `wrong_step`; `network` or `http_502` when the hub gave none. */
  code: string;
  /** The hub's words, in English. */
  message: string;
  /** Seconds after which to try again, when the hub says so. */
  retryAfterS?: number;
  /** When it failed, by this machine's clock. */
  at: number;
}

export type Answer<T> =
  | { outcome: 'success'; data: T; headers: Headers }
  | { outcome: 'aborted' }
  | { outcome: 'error'; failure: Failure };

export interface Ask {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  signal?: AbortSignal;
  /** How the body of a success is read. */
  read?: 'json' | 'blob' | 'nothing';
}

/** Told when the hub no longer knows who we are. */
let onUnauthenticated: () => void = () => {};
export function whenUnauthenticated(run: () => void): void {
  onUnauthenticated = run;
}

export async function ask<T>(path: string, given: Ask = {}): Promise<Answer<T>> {
  const { method = 'GET', query, body, signal, read = 'json' } = given;
  const headers: Record<string, string> = { Accept: 'application/json' };
  // A page of another site cannot set this header; the hub takes a change by cookie only with it.
  if (method !== 'GET') headers['X-Gridward'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    const response = await fetch(path + queryText(query), {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) {
      const failure = await failureOf(response);
      if (failure.code === 'unauthenticated') onUnauthenticated();
      return { outcome: 'error', failure };
    }
    const data = read === 'json' ? await response.json() : read === 'blob' ? await response.blob() : undefined;
    return { outcome: 'success', data: data as T, headers: response.headers };
  } catch (error) {
    if (signal?.aborted) return { outcome: 'aborted' };
    const message = error instanceof Error ? error.message : String(error);
    return { outcome: 'error', failure: { kind: 'network', status: 0, code: 'network', message, at: Date.now() } };
  }
}

function queryText(query: Ask['query']): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : '';
}

async function failureOf(response: Response): Promise<Failure> {
  const failure: Failure = {
    kind: 'http',
    status: response.status,
    code: `http_${response.status}`,
    message: response.statusText,
    at: Date.now(),
  };
  const retry = Number(response.headers.get('Retry-After'));
  if (retry > 0) failure.retryAfterS = retry;
  try {
    const { error } = (await response.json()) as { error?: { code?: string; message?: string; details?: { retry_after_s?: number } } };
    if (error?.code) failure.code = error.code;
    if (error?.message) failure.message = error.message;
    if (error?.details?.retry_after_s) failure.retryAfterS = error.details.retry_after_s;
  } catch {
    // A proxy in between answered in its own words; the status is all we know.
  }
  return failure;
}
