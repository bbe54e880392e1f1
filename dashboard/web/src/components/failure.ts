// Words for a failed request.

import type { Failure } from '../api/client';
import { words } from '../i18n/words.svelte';

export function failureText(failure: Failure): string {
  return words.errors.known[failure.code] ?? (failure.status ? words.errors.http(failure.status) : failure.message);
}
