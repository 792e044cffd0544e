// Pairs of Node programs: what each `clean_*` does leaves nothing for ever, its twin `leak_*` keeps one Thing a run.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { execFile } from "node:child_process";
import { createHash, createHmac, randomUUID, webcrypto } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { promises as dns } from "node:dns";
import { EventEmitter, on, once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { performance, PerformanceObserver } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { PassThrough, Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { format, inspect, promisify } from "node:util";
import vm from "node:vm";
import { MessageChannel, Worker } from "node:worker_threads";
import zlib from "node:zlib";

class Thing {
  constructor() {
    this.payload = { text: `of a run: ${Math.random()}` };
  }
}

// What each leak keeps its Things in.
const kept = [];
let count = 0;

// One server for every program that needs one; each request makes a Thing that lives as long as it is answered.
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const requestsSeen = [];
let leakRequests = false;
const server = http.createServer((request, response) => {
  const thing = new Thing();
  request.thing = thing;
  if (leakRequests) requestsSeen.push(thing);
  request.resume();
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.setHeader("x-run", String(thing.payload.text.length));
    response.end(JSON.stringify(thing));
  });
});
async function url() {
  if (!server.listening) await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `http://127.0.0.1:${server.address().port}/some/path?with=query`;
}
async function ask(options = {}) {
  const address = await url();
  return new Promise((resolve, reject) => {
    const request = http.request(address, { agent, method: "POST", ...options }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString())));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end("x".repeat(1000));
  });
}

export async function clean_http_keep_alive() {
  leakRequests = false;
  for (let i = 0; i < 3; i++) await ask();
}
export async function leak_http_keep_alive() {
  leakRequests = true;
  await ask();
}

export async function clean_http_no_agent() {
  leakRequests = false;
  await ask({ agent: false });
}
const answers = new Map();
export async function leak_http_no_agent() {
  leakRequests = false;
  await ask({ agent: false });
  answers.set(randomUUID(), new Thing());
}

export async function clean_fetch() {
  leakRequests = false;
  const response = await fetch(await url(), { method: "POST", body: "x".repeat(100) });
  return (await response.json()).payload;
}
const responses = [];
export async function leak_fetch() {
  leakRequests = false;
  const response = await fetch(await url());
  await response.text();
  response.thing = new Thing();
  responses.push(response);
}

export async function clean_fetch_aborted() {
  const controller = new AbortController();
  const signal = AbortSignal.any ? AbortSignal.any([controller.signal, AbortSignal.timeout(1000)]) : controller.signal;
  const response = await fetch(await url(), { signal });
  await response.text();
  controller.abort();
}
const forever = new AbortController();
EventEmitter.setMaxListeners(0, forever.signal);
export async function leak_fetch_aborted() {
  const thing = new Thing();
  const response = await fetch(await url());
  await response.text();
  forever.signal.addEventListener("abort", () => thing);
}

export async function clean_timers() {
  const thing = new Thing();
  await new Promise((resolve) => setTimeout(resolve, 1, thing));
  clearInterval(setInterval(() => thing, 50_000));
  await new Promise((resolve) => setImmediate(resolve, thing));
  await sleep(1, thing);
}
export function leak_timers() {
  const thing = new Thing();
  setTimeout(() => thing, 100_000_000).unref();
}

const storage = new AsyncLocalStorage();
export async function clean_async_local_storage() {
  await storage.run(new Thing(), async () => {
    await sleep(1);
    await Promise.all([sleep(1), Promise.resolve(storage.getStore())]);
  });
}
export function leak_async_local_storage() {
  storage.run(new Thing(), () => {
    setInterval(() => {}, 10_000_000).unref();
  });
}

const bus = new EventEmitter().setMaxListeners(0);
export async function clean_emitter() {
  const thing = new Thing();
  const listener = () => thing;
  bus.on("chunk", listener);
  bus.once("end", listener);
  bus.emit("chunk", thing);
  bus.emit("end");
  bus.off("chunk", listener);
  setImmediate(() => bus.emit("soon", thing));
  await once(bus, "soon");
}
export function leak_emitter() {
  const thing = new Thing();
  bus.once("never", () => thing);
}

export async function clean_emitter_iterated() {
  const source = new EventEmitter();
  setImmediate(() => {
    source.emit("item", new Thing());
    source.emit("item", new Thing());
  });
  let seen = 0;
  for await (const [thing] of on(source, "item")) if (thing.payload && ++seen === 2) break;
}
export function leak_emitter_iterated() {
  on(bus, "item").thing = new Thing();
}

export async function clean_event_target() {
  const target = new EventTarget();
  const thing = new Thing();
  const listener = () => thing;
  target.addEventListener("open", listener, { once: true });
  target.addEventListener("close", listener);
  target.dispatchEvent(new Event("open"));
  target.removeEventListener("close", listener);
}
const shared = new EventTarget();
export function leak_event_target() {
  const thing = new Thing();
  shared.addEventListener("close", () => thing);
}

export async function clean_streams() {
  const thing = new Thing();
  const upper = new Transform({
    transform(part, encoding, done) {
      done(null, part.toString().toUpperCase());
    },
  });
  const sink = new PassThrough();
  sink.resume();
  await pipeline(Readable.from([thing.payload.text, "second", "third"]), upper, sink);
}
export function leak_streams() {
  const stream = new PassThrough();
  stream.thing = new Thing();
  stream.write("never read");
  kept.push(stream);
}

export async function clean_web_streams() {
  const thing = new Thing();
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(thing.payload.text);
      controller.close();
    },
  }).pipeThrough(new TransformStream());
  for await (const part of stream) if (!part) throw new Error("empty");
}
const readers = [];
export async function leak_web_streams() {
  const thing = new Thing();
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(thing);
    },
  });
  const reader = stream.getReader();
  await reader.read();
  readers.push(reader);
}

export async function clean_zlib() {
  const packed = await promisify(zlib.gzip)(JSON.stringify(new Thing()).repeat(100));
  const text = await promisify(zlib.gunzip)(packed);
  const coder = zlib.createGzip();
  coder.end(text);
  for await (const part of coder) if (!part.length) throw new Error("empty");
}
const coders = [];
export function leak_zlib() {
  const coder = zlib.createGzip();
  coder.thing = new Thing();
  coders.push(coder);
}

export async function clean_crypto() {
  const hash = createHash("sha256").update(JSON.stringify(new Thing())).digest("hex");
  createHmac("sha256", hash).update(hash).digest();
  const key = await webcrypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  await webcrypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, key, Buffer.from(hash));
  return randomUUID();
}
const hashes = new Map();
export function leak_crypto() {
  const hash = createHash("sha256");
  hash.thing = new Thing();
  hashes.set(randomUUID(), hash);
}

export function clean_regexp() {
  const text = JSON.stringify(new Thing());
  const words = [...text.matchAll(/(\w+)\W+(\d+)/g)].map((match) => match[1]);
  return text.replace(/(\d)\.(\d+)/, "$2").split(/,/).concat(words).join("").slice(20, 60);
}
const matches = [];
export function leak_regexp() {
  const match = /run: (.*)/.exec(new Thing().payload.text);
  match.thing = new Thing();
  matches.push(match);
}

export async function clean_worker() {
  const worker = new Worker("const { parentPort } = require('node:worker_threads'); parentPort.once('message', (m) => parentPort.postMessage(m));", { eval: true });
  worker.postMessage(new Thing());
  await once(worker, "message");
  await worker.terminate();
}
const workers = [];
export async function leak_worker() {
  const worker = new Worker("0", { eval: true });
  await once(worker, "exit");
  worker.thing = new Thing();
  workers.push(worker);
}

export async function clean_message_channel() {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(new Thing());
  await once(port2, "message");
  port1.close();
  port2.close();
}
const ports = new Set();
export function leak_message_channel() {
  const { port1 } = new MessageChannel();
  port1.thing = new Thing();
  port1.unref();
  ports.add(port1);
}

const lru = new Map();
export function clean_lru() {
  lru.set(`key-${count++}`, new Thing());
  if (lru.size > 5) lru.delete(lru.keys().next().value);
}
const table = new Map();
export function leak_lru() {
  const key = `key-${count++}`;
  table.set(key, new Thing());
  // Deletes what was never there.
  table.delete(`${key}-`);
}

const weakly = new WeakMap();
const finalizers = new FinalizationRegistry(() => {});
export function clean_weak() {
  const thing = new Thing();
  weakly.set(thing, { of: thing });
  finalizers.register(thing, "held");
  return new WeakRef(thing).deref().payload;
}
const weakKeys = [];
export function leak_weak() {
  const key = { of: "a run" };
  weakly.set(key, new Thing());
  weakKeys.push(key);
}

const scratch = {};
export function clean_object_as_map() {
  const id = randomUUID();
  scratch[id] = new Thing();
  delete scratch[id];
}
const byId = {};
export function leak_object_as_map() {
  byId[randomUUID()] = new Thing();
}

export async function clean_files() {
  const file = path.join(os.tmpdir(), `leakscan-${process.pid}.txt`);
  await fs.promises.writeFile(file, JSON.stringify(new Thing()));
  for await (const line of createInterface({ input: fs.createReadStream(file) })) JSON.parse(line);
  await fs.promises.stat(file);
  await fs.promises.unlink(file);
}
const handles = [];
export function leak_files() {
  const stream = fs.createReadStream(os.devNull, { autoDestroy: false });
  stream.thing = new Thing();
  stream.on("error", () => {});
  handles.push(stream);
}

export async function clean_child_process() {
  await promisify(execFile)(process.execPath, ["--version"]);
}
const children = [];
export async function leak_child_process() {
  await new Promise((resolve) => {
    const child = execFile(process.execPath, ["--version"], resolve);
    child.thing = new Thing();
    children.push(child);
  });
}

export async function clean_sockets() {
  const echo = net.createServer((socket) => socket.pipe(socket));
  await new Promise((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const socket = net.connect(echo.address().port, "127.0.0.1");
  socket.thing = new Thing();
  socket.end("hello");
  socket.resume();
  await once(socket, "close");
  await new Promise((resolve) => echo.close(resolve));
}
const sockets = new Map();
export async function leak_sockets() {
  const echo = net.createServer((socket) => socket.pipe(socket));
  await new Promise((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const socket = net.connect(echo.address().port, "127.0.0.1");
  socket.thing = new Thing();
  socket.end("hello");
  socket.resume();
  await once(socket, "close");
  await new Promise((resolve) => echo.close(resolve));
  sockets.set(`client-${count++}`, socket);
}

export async function clean_dns() {
  await dns.lookup("localhost");
}
const lookups = [];
export async function leak_dns() {
  lookups.push({ thing: new Thing(), found: await dns.lookup("localhost") });
}

export function clean_dates() {
  const date = new Date(1.7e12 + count++ * 1e6);
  return [date.toString(), date.toLocaleString("en-GB"), new Intl.NumberFormat("de").format(count), new Date().getTimezoneOffset()];
}
const dates = [];
export function leak_dates() {
  const date = new Date();
  date.thing = new Thing();
  dates.push(date);
}

export async function clean_errors() {
  try {
    await Promise.any([Promise.reject(new TypeError(`of ${count++}`)), Promise.reject(new Error("other"))]);
  } catch (error) {
    return inspect(error) + format("%s %j", error.stack, { count });
  }
}
const failures = [];
export async function leak_errors() {
  const error = new Error(`of ${count++}`);
  error.thing = new Thing();
  failures.push(error);
}

export function clean_vm() {
  return vm.runInNewContext("items.map((item) => item * factor)", { items: [1, 2], factor: 3 });
}
const contexts = [];
export function leak_vm() {
  const context = vm.createContext({ thing: new Thing() });
  vm.runInContext("var local = thing", context);
  contexts.push(context);
}

export function clean_diagnostics() {
  const log = channel("leakscan:test");
  const listener = () => {};
  log.subscribe(listener);
  log.publish(new Thing());
  log.unsubscribe(listener);
}
const messages = channel("leakscan:messages");
export function leak_diagnostics() {
  const thing = new Thing();
  messages.subscribe(() => thing);
}

export function clean_performance() {
  performance.mark("begin");
  performance.measure("lasted", "begin");
  performance.clearMarks();
  performance.clearMeasures();
}
export function leak_performance() {
  performance.mark(`begin-${count++}`, { detail: new Thing() });
}

export async function clean_async_generator() {
  async function* items() {
    for (let i = 0; i < 3; i++) yield new Thing();
  }
  for await (const thing of items()) if (!thing) break;
}
const generators = [];
export async function leak_async_generator() {
  async function* items() {
    const thing = new Thing();
    while (true) yield thing.payload;
  }
  const started = items();
  await started.next();
  generators.push(started);
}

export async function clean_promises() {
  const thing = new Thing();
  await Promise.race([sleep(1), new Promise((resolve) => setImmediate(resolve))]);
  const all = await Promise.allSettled([Promise.resolve(thing), Promise.reject(new Error("no"))]);
  queueMicrotask(() => thing);
  return all.length;
}
const never = new Promise(() => {});
export function leak_promises() {
  const thing = new Thing();
  never.then(() => thing);
}

export function clean_text() {
  const decoder = new StringDecoder("utf8");
  const text = decoder.write(Buffer.from(JSON.stringify({ id: randomUUID(), rows: [1, 2, 3] }))) + decoder.end();
  const { id } = JSON.parse(text);
  return structuredClone({ id, parts: id.split("-"), url: new URL(`http://host/${id}?q=${id}`).searchParams.get("q") });
}
const texts = [];
export function leak_text() {
  const text = JSON.stringify({ id: randomUUID(), rows: [1, 2, 3] }).repeat(10);
  texts.push({ part: text.slice(10, 40), thing: new Thing() });
}

export async function clean_resources() {
  const resource = new AsyncResource("Job");
  const thing = new Thing();
  resource.runInAsyncScope(() => thing.payload);
  const observer = new PerformanceObserver(() => {});
  observer.observe({ entryTypes: ["function"] });
  observer.disconnect();
}
const bound = [];
export function leak_resources() {
  const thing = new Thing();
  bound.push(AsyncResource.bind(() => thing));
}
