// Programs that a test starts: each ends with its test, by its own process.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../../', import.meta.url));
export const target = process.env['CARGO_TARGET_DIR'] ?? `${root}target`;

/** A program of ours as cargo built it; measurements want `E2E_PROFILE=release`. */
export const binary = (name) => `${target}/${process.env['E2E_PROFILE'] ?? 'debug'}/${name}`;

/** A port of this machine that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Runs a command to its end; its output, or a failure that shows what it said. */
export function run(program, args, { input = '', env = {} } = {}) {
  const done = spawnSync(program, args, { input, env: { ...process.env, ...env }, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${done.status}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** Starts a program and waits for the line on its standard output that `ready` matches. */
export async function start(program, args, ready, { env = {}, limitMs = 120_000 } = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  // Kept to be shown when something fails; the last lines are enough.
  const said = [];
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said.push(text);
    if (said.length > 200) said.shift();
  });
  const ended = once(child, 'exit');
  const found = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const match = ready.exec(line);
      if (match) return match;
    }
    return undefined;
  })();
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, limitMs)));
  const match = await Promise.race([found, late]);
  clearTimeout(timer);
  if (!match) {
    child.kill('SIGKILL');
    throw new Error(`${program} never said that it is ready:\n${said.join('')}`);
  }
  child.stdout.resume();
  return {
    match,
    said: () => said.join(''),
    /** Ends it with a signal and waits until it is gone. */
    async end(signal = 'SIGTERM', graceMs = 15_000) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      const hard = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(hard);
    },
  };
}

/** Asks until `look` answers something, for at most `limitMs`. */
export async function until(look, what, limitMs = 60_000, everyMs = 100) {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
