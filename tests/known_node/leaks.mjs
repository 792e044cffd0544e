// Programs that leak one Thing for each run, each in its own way; known.toml says what holds it.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { connect, createServer } from "node:net";

class Thing {
  constructor() {
    this.payload = { text: `of a run: ${Math.random()}` };
  }
}

const runs = new Map();
export function map_of_runs() {
  runs.set(`run-${runs.size}`, new Thing());
}

// Open sockets that the program keeps itself do not wait for anything.
const connections = new Map();
const server = createServer();
export async function connections_kept() {
  if (!server.listening) await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect(server.address().port, "127.0.0.1");
  socket.thing = new Thing();
  connections.set(`client-${connections.size}`, socket);
}

const seen = new Set();
export function set_of_things() {
  seen.add(new Thing());
}

const list = [];
export function module_array() {
  list.push(new Thing());
}

const bus = new EventEmitter().setMaxListeners(0);
export function listener() {
  const thing = new Thing();
  bus.on("chunk", () => thing);
}

const callbacks = [];
export function closure() {
  const captured = new Thing();
  callbacks.push(() => captured);
}

export function timer() {
  const thing = new Thing();
  setInterval(() => thing, 1_000_000).unref();
}

const waiting = [];
export function promise_never_settled() {
  const gate = new Promise((resolve) => waiting.push(resolve));
  (async () => {
    const thing = new Thing();
    await gate;
    return thing;
  })();
}

const storage = new AsyncLocalStorage();
const later = [];
export function async_context() {
  storage.run(new Thing(), () => {
    later.push(AsyncResource.bind(() => storage.getStore()));
  });
}

const keys = [];
const byKey = new WeakMap();
export function weak_map_with_kept_keys() {
  const key = {};
  keys.push(key);
  byKey.set(key, new Thing());
}

class Registry {
  #entries = [];
  add(thing) {
    this.#entries.push(thing);
  }
}
const registry = new Registry();
export function private_field() {
  registry.add(new Thing());
}

const abandoned = [];
export async function abandoned_generator() {
  async function* stream() {
    const thing = new Thing();
    try {
      while (true) yield thing.payload;
    } finally {
      thing.closed = true;
    }
  }
  const iterator = stream();
  await iterator.next();
  abandoned.push(iterator);
}

const controller = new AbortController();
EventEmitter.setMaxListeners(0, controller.signal);
export function abort_signal() {
  const thing = new Thing();
  controller.signal.addEventListener("abort", () => thing);
}

// The data lies outside of V8's heap.
const packets = [];
export function buffers() {
  const thing = new Thing();
  thing.data = Buffer.alloc(500_000, 1);
  packets.push(thing);
}
