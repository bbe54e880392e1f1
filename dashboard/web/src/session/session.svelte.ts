// Who is logged in, and what the role allows. The hub decides; this only spares people buttons that would be refused.

import type { Role, SessionView } from '../api/types.gen';
import * as hub from '../api/hub';
import { router } from '../router/router.svelte';

/** As `Right` of the hub's model. */
export type Right = 'report' | 'operate' | 'lead' | 'administer';

const RIGHTS: Record<Role, Right[]> = {
  viewer: [],
  responder: ['report'],
  operator: ['report', 'operate'],
  lead: ['report', 'operate', 'lead'],
  admin: ['report', 'operate', 'lead', 'administer'],
};

class Session {
  view = $state.raw<SessionView | undefined>(undefined);
  /** Whether the first question of who we are has been answered. */
  known = $state(false);
  /** Whether the hub has forgotten us while we were at work. */
  expired = $state(false);

  get name(): string {
    return this.view?.user.name ?? '';
  }

  get role(): Role {
    return this.view?.user.role ?? 'viewer';
  }

  has(right: Right): boolean {
    return RIGHTS[this.role].includes(right);
  }

  async find(): Promise<void> {
    const answer = await hub.session.who();
    if (answer.outcome === 'success') this.view = answer.data;
    this.known = true;
  }

  begin(view: SessionView): void {
    this.view = view;
    this.expired = false;
    router.go(safeNext(router.param('next')), true);
  }

  /** The hub has forgotten us: back to the log-in, and after it to where we were. */
  lost(): void {
    if (!this.view) return;
    this.view = undefined;
    this.expired = true;
    const { path, query } = router.current;
    const text = query.toString();
    router.go(`/login?next=${encodeURIComponent(path + (text ? `?${text}` : ''))}`, true);
  }

  async end(): Promise<void> {
    await hub.session.logOut();
    this.view = undefined;
    router.go('/login', true);
  }
}

/** Only a path of our own: `//elsewhere` would be another site. */
function safeNext(next: string): string {
  return /^\/(?![/\\])/.test(next) && !next.startsWith('/login') ? next : '/';
}

export const session = new Session();
