// Let what a run has started come to rest, so that work in flight is not counted as retained.

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { performance } from "node:perf_hooks";

const TURNS = 3;
const MOST_COLLECTIONS = 8;
const POLL_MILLISECONDS = 20;
// Less than one part in this many is what the measuring itself moves.
const QUIET = 2000;

// Callbacks that are ready, and those that they make ready.
export async function turns() {
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
}

// Pending callbacks, collections and finalizers in turn, until the heap no longer shrinks.
export async function settle(collect) {
  let used = Infinity;
  for (let i = 0; i < MOST_COLLECTIONS; i++) {
    await turns();
    collect();
    const now = process.memoryUsage().heapUsed;
    if (now >= used - used / QUIET) break;
    used = now;
  }
}

// Timers, sockets and requests that keep the loop alive, by kind.
export function inFlight() {
  const kinds = {};
  for (const kind of process.getActiveResourcesInfo().sort()) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

export function countOf(kinds) {
  return Object.values(kinds).reduce((sum, count) => sum + count, 0);
}

// Give a backlog time to drain; the seconds waited. Ends early when nothing more than `atRest` is active.
export async function drain(collect, atRest, atMostSeconds) {
  const start = performance.now();
  const waited = () => (performance.now() - start) / 1000;
  await settle(collect);
  while (countOf(inFlight()) > atRest && waited() < atMostSeconds) await sleep(POLL_MILLISECONDS);
  await settle(collect);
  return waited();
}
