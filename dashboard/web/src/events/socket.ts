// One socket to `/api/v1/events`: keeps itself open, resumes where it was, and says how it stands.
// Does not belong here: what the messages mean (town.svelte.ts).

export interface Snapshot {
  type: 'snapshot';
  epoch: string;
  seq: number;
  at: string;
  topics: Record<string, unknown>;
}
export interface Op {
  topic: string;
  id: string;
  item: unknown;
}
export interface Delta {
  type: 'delta';
  seq: number;
  at: string;
  ops: Op[];
}
export type EventMessage =
  | Snapshot
  | Delta
  | { type: 'resumed'; epoch: string; seq: number }
  | { type: 'tick'; seq: number; at: string; hub: unknown }
  | { type: 'error'; code: string; message: string };

export type LinkState = 'connecting' | 'live' | 'down';

export interface SocketHandlers {
  message: (message: EventMessage) => void;
  /** `retryAt`: when it tries again by itself, by this machine's clock; 0 while it is trying. */
  state: (state: LinkState, retryAt: number) => void;
  /** It could not be opened: time to ask whether the hub still knows us. */
  refused: () => void;
}

/** The hub ticks every 2 s; three missed ticks are a dead line. */
const SILENCE_MS = 6500;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15_000;

export class EventSocket {
  #socket: WebSocket | undefined;
  #topics: string[] = [];
  #epoch = '';
  #seq = 0;
  #waitMs = FIRST_WAIT_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #running = false;

  constructor(
    readonly url: string,
    readonly handlers: SocketHandlers,
  ) {}

  start(): void {
    if (this.#running) return;
    this.#running = true;
    addEventListener('online', this.now);
    this.#open();
  }

  stop(): void {
    this.#running = false;
    removeEventListener('online', this.now);
    this.#drop();
    this.#epoch = '';
  }

  /** Follows these topics from now on. */
  subscribe(topics: string[]): void {
    this.#topics = topics;
    this.#say();
  }

  /** Tries at once. */
  now = (): void => {
    if (!this.#running || this.#socket) return;
    this.#waitMs = FIRST_WAIT_MS;
    this.#open();
  };

  #open(): void {
    clearTimeout(this.#retry);
    this.handlers.state('connecting', 0);
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    let opened = false;
    this.#listenForSilence();
    socket.onopen = () => {
      opened = true;
      this.#say();
    };
    socket.onmessage = (event) => {
      this.#listenForSilence();
      this.#hear(JSON.parse(String(event.data)) as EventMessage);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#drop();
      if (!opened) this.handlers.refused();
      this.#later();
    };
  }

  #hear(message: EventMessage): void {
    if (message.type === 'snapshot' || message.type === 'resumed') {
      this.#epoch = message.epoch;
      this.#waitMs = FIRST_WAIT_MS;
      this.handlers.state('live', 0);
    }
    if (message.type !== 'error') this.#seq = message.seq;
    this.handlers.message(message);
  }

  /** A half-open line says nothing for ever; it is closed and opened anew. */
  #listenForSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#drop();
      if (this.#running) this.#later();
    }, SILENCE_MS);
  }

  #drop(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #later(): void {
    // All consoles lose the hub at the same moment; they must not come back at the same moment.
    const waitMs = this.#waitMs * (0.5 + Math.random());
    this.#waitMs = Math.min(this.#waitMs * 2, MOST_WAIT_MS);
    this.handlers.state('down', Date.now() + waitMs);
    this.#retry = setTimeout(() => this.#running && this.#open(), waitMs);
  }

  #say(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const resume = this.#epoch ? { epoch: this.#epoch, seq: this.#seq } : undefined;
    this.#socket.send(JSON.stringify({ subscribe: this.#topics, ...(resume ? { resume } : {}) }));
  }
}
