// A hub with the simulated town before it: real programs, real sockets, a folder that is gone afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, freePort, run, start, target, until } from './process.mjs';

export const PASSWORD = 'long-enough-for-a-test';
const ROLES = ['viewer', 'responder', 'operator', 'lead', 'admin'];

/** The town's program and its control address. */
class Town {
  #process;
  #control;

  static async start(dir, mqtt, args) {
    const town = new Town();
    // What the cameras show is drawn once, for all files of tests.
    const clips = join(target, 'tmp', 'town-clips');
    const all = ['run', '--dir', dir, '--clips', clips, '--rtsp', '127.0.0.1:0', '--mqtt', mqtt, '--control', '127.0.0.1:0', ...args];
    town.#process = await start(binary('town'), all, /^ready rtsp=(\S+) control=(\S+)/, { limitMs: 180_000 });
    town.#control = town.#process.match[2];
    return town;
  }

  async #ask(method, path, body) {
    const init = { method, ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) };
    const answer = await fetch(this.#control + path, init);
    if (!answer.ok) throw new Error(`town: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text ? JSON.parse(text) : undefined;
  }

  state = () => this.#ask('GET', '/state');
  events = () => this.#ask('GET', '/events');
  /** Starts an event of the script now: flood, fire, cover, door, silence, dropout. */
  event = (name) => this.#ask('POST', `/events/${name}`);
  camera = (id, change) => this.#ask('POST', `/cameras/${encodeURIComponent(id)}`, change);
  sensor = (id, change) => this.#ask('POST', `/sensors/${encodeURIComponent(id)}`, change);
  reset = () => this.#ask('POST', '/reset');
  end = () => this.#process.end();
}

/** The hub, which may be killed and started again at the same address. */
class Hub {
  #process;
  #env;
  #config;
  url = '';
  tokens = {};

  constructor(config, env) {
    this.#config = config;
    this.#env = env;
  }

  async start() {
    const args = ['run', '--config', this.#config];
    this.#process = await start(binary('gridward'), args, /^ready (http:\/\/\S+)/, { env: this.#env });
    this.url = this.#process.match[1];
    this.#env.GRIDWARD_HTTP__BIND = new URL(this.url).host;
  }

  /** A command beside the hub, with its configuration. */
  command = (args, input) => run(binary('gridward'), [...args, '--config', this.#config], { input, env: this.#env });

  /** A GET of the API with a token of this role; the parsed answer. */
  get = (path, role = 'viewer') => this.#ask('GET', path, role);
  /** A POST likewise. */
  post = (path, body, role = 'operator') => this.#ask('POST', path, role, body);

  async #ask(method, path, role, body) {
    this.tokens[role] ??= this.command(['token', 'create', '--role', role]).trim();
    const headers = { authorization: `Bearer ${this.tokens[role]}`, 'content-type': 'application/json' };
    const answer = await fetch(this.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  said = () => this.#process.said();
  kill = () => this.#process.end('SIGKILL');
  end = () => this.#process.end();
}

/**
 * Starts a hub with users named by their roles, and the town before it. The town's script stays quiet: a test starts
 * the events it wants.
 */
export async function startTown({ townArgs = ['--quiet-script'], env = {} } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'gridward-e2e-'));
  const mqtt = `127.0.0.1:${await freePort()}`;
  const config = join(dir, 'hub.toml');
  run(binary('gridward'), ['init', dir]);
  const hub = new Hub(config, {
    GRIDWARD_HTTP__BIND: '127.0.0.1:0',
    GRIDWARD_HTTP__TOWN_NAME: '云汀镇',
    GRIDWARD_MQTT__EMBEDDED: mqtt,
    GRIDWARD_TOWN__MAP: join(dir, 'map.geojson'),
    RUST_LOG: 'info',
    ...env,
  });
  let town;
  const end = async () => {
    await town?.end();
    await hub.end().catch(() => {});
    await rm(dir, { recursive: true, force: true });
  };
  try {
    for (const role of ROLES) hub.command(['user', 'add', role, '--role', role, '--password-stdin'], PASSWORD);
    await hub.start();
    town = await Town.start(dir, mqtt, townArgs);
    hub.command(['sources', 'import', join(dir, 'sources.csv'), '--grids', join(dir, 'grids.json')]);
    await until(async () => (await hub.get('/api/v1/sources?limit=1')).items.length === 1, 'the sources to be known');
  } catch (error) {
    await end();
    throw error;
  }
  return { dir, hub, town, end };
}
