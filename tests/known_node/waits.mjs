// Async functions that wait: `stuck_*` for what nothing can settle any more, all others for what something can.
// Writes a snapshot to the file that is its argument, with every promise kept, so that each wait is in it.

import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { pbkdf2, webcrypto } from "node:crypto";
import dns from "node:dns/promises";
import { EventEmitter, on, once } from "node:events";
import fs from "node:fs";
import { open, readFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline/promises";
import { PassThrough } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { setInterval as every, setImmediate as soon, setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import v8 from "node:v8";
import { BroadcastChannel, MessageChannel, Worker } from "node:worker_threads";
import zlib from "node:zlib";

const LONG = 1_000_000;
const kept = [];
const live = (globalThis.live = {});
const resolver = (name) => new Promise((resolve) => (live[name] = resolve));

const child = spawn("sleep", ["100"]);
const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
const { port1 } = new MessageChannel();
const channel = new BroadcastChannel("waits");
const silent = http.createServer(() => {});
await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
const { port } = silent.address();
const emitter = new EventEmitter();
const controller = new AbortController();
const registry = new FinalizationRegistry((settle) => settle());
live.stream = new PassThrough();
live.key = {};
live.weak = new WeakMap();
live.calls = new Map();
const storage = new AsyncLocalStorage();

class Private {
  #settle;
  wait() {
    return new Promise((resolve) => (this.#settle = resolve));
  }
}
live.private = new Private();

function* local() {
  let settle;
  yield new Promise((resolve) => (settle = resolve));
  settle();
}
live.generator = local();

async function inner() {
  await sleep(LONG);
}

const waits = {
  read_file: () => readFile(process.execPath),
  open_file: () => open("/dev/null"),
  read_promisified: () => promisify(fs.readFile)(process.execPath),
  lookup: () => dns.lookup("localhost"),
  derive_key: () => promisify(pbkdf2)("secret", "salt", LONG, 32, "sha256"),
  digest: () => webcrypto.subtle.digest("SHA-256", new Uint8Array(4 * LONG)),
  pack: () => promisify(zlib.gzip)(Buffer.alloc(20 * LONG)),
  child_ends: () => once(child, "exit"),
  worker_speaks: () => once(worker, "message"),
  port_speaks: () => new Promise((resolve) => port1.once("message", resolve)),
  channel_speaks: () => new Promise((resolve) => (channel.onmessage = resolve)),
  fetches: () => fetch(`http://127.0.0.1:${port}/`),
  http_answers: () => new Promise((resolve) => http.get({ port }, resolve)),
  accepts: () => once(net.createServer().listen(0), "connection"),
  stream_ends: () => finished(live.stream),
  pipes: () => pipeline(process.stdin, new PassThrough()),
  asks: () => createInterface({ input: process.stdin }).question("?"),
  sleeps: () => sleep(LONG, undefined, { ref: false }),
  ticks: async () => {
    for await (const _ of every(LONG));
  },
  soon: () => soon(),
  callback_timer: () => new Promise((resolve) => setTimeout(resolve, LONG).unref()),
  hears_once: () => once(emitter, "x"),
  hears_each: async () => {
    for await (const _ of on(emitter, "y"));
  },
  aborted: () => new Promise((resolve) => controller.signal.addEventListener("abort", resolve)),
  times_out: () => new Promise((resolve) => AbortSignal.timeout(LONG).addEventListener("abort", resolve)),
  signalled: () => new Promise((resolve) => process.once("SIGTERM", resolve)),
  collected: () => new Promise((resolve) => registry.register(live.key, resolve)),
  in_weak_map: () => new Promise((resolve) => live.weak.set(live.key, resolve)),
  behind_weak_ref: () =>
    new Promise((resolve) => {
      live.box = { resolve };
      live.reference = new WeakRef(live.box);
    }),
  private_field: () => live.private.wait(),
  reply: () => new Promise((resolve, reject) => live.calls.set("id", { resolve, reject })),
  bound: () => new Promise((resolve) => (live.bound = resolve.bind(null, 1))),
  wrapped: () => new Promise((resolve) => (live.wrapped = (value) => resolve(value))),
  proxied: () => new Promise((resolve) => (live.proxy = new Proxy({ resolve }, {}))),
  getter: () => new Promise((resolve) => Object.defineProperty(live, "go", { get: () => resolve() })),
  generator_local: () => live.generator.next().value,
  web_read: () => new ReadableStream({ start: (control) => (live.control = control) }).getReader().read(),
  web_pull: () =>
    new ReadableStream({
      pull: async (control) => {
        await sleep(LONG);
        control.close();
      },
    })
      .getReader()
      .read(),
  imports: () => import("node:test"),
  compiles: () => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
  thenable: () => ({ then: (settle) => (live.thenable = settle) }),
  all: () => Promise.all([sleep(LONG), 1]),
  race: () => Promise.race([sleep(LONG), new Promise(() => {})]),
  chain: () => resolver("chain").then(() => 1).finally(() => 2),
  store: () =>
    storage.run({}, () => {
      const held = storage.getStore();
      setInterval(() => {}, LONG).unref();
      return new Promise((resolve) => (held.resolve = resolve));
    }),
  nested: () => inner(),
  next_tick: () => new Promise((resolve) => process.nextTick(resolve)),
  symbol: () => new Promise((resolve) => (live[Symbol("resolve")] = resolve)),
  map_key: () => new Promise((resolve) => (live.keys = new Map([[resolve, 1]]))),

  stuck_lost: () => new Promise(() => {}),
  stuck_own: () => {
    let settle;
    const own = new Promise((resolve) => (settle = resolve));
    own.settle = settle;
    return own.then(() => settle);
  },
  stuck_dead_stream: () => finished(new PassThrough()),
};

for (const [name, wait] of Object.entries(waits)) {
  // A function of that name, which V8 knows by it.
  const call = new Function("wait", "kept", `return async function ${name}() { const it = wait(); kept.push(it); await it; }`);
  kept.push(call(wait, kept)());
}
globalThis.kept = kept;
v8.writeHeapSnapshot(process.argv[2]);
process.exit(0);
