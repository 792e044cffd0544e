// Programs that look as if they leaked, and do not; known.toml says what must be said of them.

import { createServer, get } from "node:http";

class Thing {
  constructor() {
    this.payload = { text: `of a run: ${Math.random()}` };
  }
}

const LIMIT = 3;
const lru = new Map();
let used = 0;
export function lru_that_fills() {
  lru.set(`key-${used++}`, new Thing());
  if (lru.size > LIMIT) lru.delete(lru.keys().next().value);
}

const cache = new WeakMap();
export function weak_cache() {
  const key = {};
  cache.set(key, new Thing());
  return cache.get(key).payload.text.length;
}

const finalizers = new FinalizationRegistry(() => {});
export function finalization_registry() {
  const thing = new Thing();
  finalizers.register(thing, "gone");
}

let lazily = null;
let calls = 0;
export function lazy_init() {
  // After the warm-up, so that it is seen.
  if (++calls > 4) lazily ??= [new Thing(), new Thing()];
  return lazily;
}

const backlog = new Set();
export function in_flight_that_drains() {
  const thing = new Thing();
  backlog.add(thing);
  setTimeout(() => backlog.delete(thing), 20);
}

export async function awaited_timer() {
  const thing = new Thing();
  await new Promise((resolve) => setTimeout(resolve, 1));
  return thing.payload;
}

export async function logged() {
  // An inspector session must not keep what is logged.
  console.log(new Thing());
}

export function nothing() {}

export async function* finished_stream() {
  for (let i = 0; i < 5; i++) yield new Thing();
}

// A server that takes a connection and says nothing; each run waits for its answer.
const silent = createServer(() => {});
export async function waits_for_an_answer() {
  if (!silent.listening) await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const thing = new Thing();
  get({ port: silent.address().port, agent: false }, () => thing.payload).on("error", () => {});
}
