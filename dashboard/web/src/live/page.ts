// The live socket of this page; made when the first tile wants it.

import { browserSocket } from './socket';
import type { LiveSocket } from './socket';

let socket: LiveSocket | undefined;

export function liveSocket(): LiveSocket {
  socket ??= browserSocket();
  return socket;
}
