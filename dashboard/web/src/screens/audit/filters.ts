// The audit's filters as they stand in the address, and as the hub is asked. Pure.

import type { AuditQuery } from '../../api/hub';

export const FILTERS = ['actor', 'action', 'subject', 'from', 'to'] as const;

/** `param` reads the address; times there are local, as a person picked them. */
export function auditQuery(param: (name: string) => string): AuditQuery {
  const query: AuditQuery = {};
  for (const name of ['actor', 'action', 'subject'] as const) {
    const text = param(name).trim();
    if (text) query[name] = text;
  }
  for (const name of ['from', 'to'] as const) {
    const at = Date.parse(param(name));
    if (Number.isFinite(at)) query[name] = new Date(at).toISOString();
  }
  // The hub refuses a span that ends before it begins; the later question wins.
  if (query.from && query.to && query.from >= query.to) delete query.to;
  return query;
}

export function endsBeforeItBegins(param: (name: string) => string): boolean {
  return Date.parse(param('from')) >= Date.parse(param('to'));
}
