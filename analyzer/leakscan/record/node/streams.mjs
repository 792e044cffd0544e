// How a stream is brought to the end that `mode` asks for. Cuts come after a number of chunks, never by a
// clock, so that two captures are alike.

import { setImmediate as nextTurn } from "node:timers/promises";

export const FINISHED = "finished";
export const FINISHED_EARLY = "finished before the cut";
export const FINISHED_DESPITE = "finished despite the cut";
export const TIMED_OUT = "timed out";
const LAST_EVENTS = ["end", "finish", "close", "done"];
const CHUNK_EVENTS = ["data", "chunk", "message"];

export class ModeDoesNotApply extends Error {}

class ConsumerError extends Error {}

// The kind of stream that `value` is, null when it is none.
export function streamOf(value) {
  if (value === null || typeof value !== "object") return null;
  if (typeof value.getReader === "function" && typeof value.tee === "function") return WEB_STREAM;
  if (typeof value[Symbol.asyncIterator] === "function") return ASYNC_ITERABLE;
  if (typeof value.next === "function" && typeof value[Symbol.iterator] === "function") return ITERATOR;
  if (typeof value.on === "function" && typeof value.off === "function") return EMITTER;
  return null;
}

async function consume(stream) {
  for await (const _ of stream);
  return FINISHED;
}

// Takes chunks and lets the stream go without closing it.
async function abandon(stream, chunks) {
  const iterator = stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
  return (await takes(() => iterator.next(), chunks)) ? "abandoned" : FINISHED_EARLY;
}

async function cancel(stream, chunks) {
  const iterator = stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
  if (!(await takes(() => iterator.next(), chunks))) return FINISHED_EARLY;
  if (typeof iterator.return !== "function")
    throw new ModeDoesNotApply("its iterator has no `return`: it cannot be cancelled");
  await iterator.return();
  return "cancelled";
}

async function abort(stream, chunks, context) {
  let taken = 0;
  try {
    for await (const _ of stream) if (++taken === chunks) context.abort();
  } catch (error) {
    if (!context.isAbort(error)) throw error;
    return TIMED_OUT;
  }
  return taken >= chunks ? FINISHED_DESPITE : FINISHED_EARLY;
}

async function fail(stream, chunks) {
  let taken = 0;
  try {
    for await (const _ of stream)
      if (++taken === chunks) throw new ConsumerError(`after ${chunks} chunks (--mode error)`);
  } catch (error) {
    if (!(error instanceof ConsumerError)) throw error;
    return "error raised";
  }
  return FINISHED_EARLY;
}

async function concurrent(stream) {
  const make = () => stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
  const [first, second] = [make(), make()];
  if (first === second) throw new ModeDoesNotApply("the stream is its own iterator: it has one view");
  await Promise.all([takes(() => first.next(), Infinity), takes(() => second.next(), Infinity)]);
  return FINISHED;
}

// Whether there were that many.
async function takes(next, chunks) {
  for (let taken = 0; taken < chunks; taken++) if ((await next()).done) return false;
  return true;
}

async function abandonReader(stream, chunks) {
  const reader = stream.getReader();
  return (await takes(() => reader.read(), chunks)) ? "abandoned" : FINISHED_EARLY;
}

async function cancelReader(stream, chunks) {
  const reader = stream.getReader();
  if (!(await takes(() => reader.read(), chunks))) return FINISHED_EARLY;
  await reader.cancel();
  return "cancelled";
}

async function readBothBranches(stream) {
  await Promise.all(stream.tee().map(consume));
  return FINISHED;
}

// Listens until the emitter says that it ended, or until it gave that many chunks.
function listen(emitter, chunks) {
  return new Promise((resolve, reject) => {
    let taken = 0;
    const onChunk = () => {
      if (++taken >= chunks) settle(() => resolve(true));
    };
    const onEnd = () => settle(() => resolve(false));
    const onError = (error) => settle(() => reject(error));
    const settle = (answer) => {
      for (const name of CHUNK_EVENTS) emitter.off(name, onChunk);
      for (const name of LAST_EVENTS) emitter.off(name, onEnd);
      emitter.off("error", onError);
      answer();
    };
    for (const name of CHUNK_EVENTS) emitter.on(name, onChunk);
    for (const name of LAST_EVENTS) emitter.on(name, onEnd);
    emitter.on("error", onError);
  });
}

async function listenToEnd(emitter) {
  await listen(emitter, Infinity);
  return FINISHED;
}

async function stopListening(emitter, chunks) {
  return (await listen(emitter, chunks)) ? "abandoned" : FINISHED_EARLY;
}

async function destroyEmitter(emitter, chunks) {
  if (!(await listen(emitter, chunks))) return FINISHED_EARLY;
  const stop = ["destroy", "cancel", "close", "abort"].find((name) => typeof emitter[name] === "function");
  if (!stop) throw new ModeDoesNotApply("the emitter has no destroy, cancel, close or abort");
  await emitter[stop]();
  return "cancelled";
}

async function abortEmitter(emitter, chunks, context) {
  if (!(await listen(emitter, chunks))) return FINISHED_EARLY;
  const ended = listen(emitter, Infinity).then(
    () => FINISHED_DESPITE,
    (error) => {
      if (!context.isAbort(error)) throw error;
      return TIMED_OUT;
    },
  );
  context.abort();
  for (let turn = 0; turn < chunks; turn++) await nextTurn();
  return await Promise.race([ended, nextTurn(TIMED_OUT)]);
}

async function failListening(emitter, chunks) {
  let taken = 0;
  const onChunk = () => {
    if (++taken === chunks) throw new ConsumerError(`after ${chunks} chunks (--mode error)`);
  };
  try {
    for (const name of CHUNK_EVENTS) emitter.on(name, onChunk);
    await listen(emitter, Infinity);
  } catch (error) {
    if (!(error instanceof ConsumerError)) throw error;
    return "error raised";
  } finally {
    for (const name of CHUNK_EVENTS) emitter.off(name, onChunk);
  }
  return taken >= chunks ? FINISHED_DESPITE : FINISHED_EARLY;
}

async function listenTwice(emitter) {
  await Promise.all([listen(emitter, Infinity), listen(emitter, Infinity)]);
  return FINISHED;
}

const ITERATING = { consume, abandon, cancel, timeout: abort, error: fail, concurrent };
const ASYNC_ITERABLE = { name: "an async iterable", ends: ITERATING };
const ITERATOR = { name: "an iterator", ends: ITERATING };
const WEB_STREAM = {
  name: "a ReadableStream",
  ends: { ...ITERATING, abandon: abandonReader, cancel: cancelReader, concurrent: readBothBranches },
};
const EMITTER = {
  name: "an EventEmitter",
  ends: {
    consume: listenToEnd,
    abandon: stopListening,
    cancel: destroyEmitter,
    timeout: abortEmitter,
    error: failListening,
    concurrent: listenTwice,
  },
};
