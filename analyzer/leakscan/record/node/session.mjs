// What happens inside the observed process: import, warm-up, baseline, runs, last snapshot.

import fs from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import v8 from "node:v8";
import { HeapProfiler } from "./profiler.mjs";
import { Scenario } from "./scenario.mjs";
import { countOf, drain, inFlight, settle, turns } from "./settle.mjs";
import { ModeDoesNotApply } from "./streams.mjs";
import { TargetError, loadScenario } from "./target.mjs";

// Captured before the target can replace them.
const { exit } = process;
const writeHeapSnapshot = v8.writeHeapSnapshot.bind(v8);

class Interrupted extends Error {}

export class Session {
  #config;
  #say;
  #ask;
  #heap = new HeapProfiler();
  #collect = () => this.#heap.collect();
  #scenario = null;
  #stop = null;
  #isInterrupted = false;
  #isOver = false;
  #phase = "start";
  #run = 0;
  #runs;
  #completed = 0;
  #wantsLast = false;
  #atRest = 0;

  constructor(config, { say, ask }) {
    this.#config = config;
    this.#say = say;
    this.#ask = ask;
    this.#runs = config.runs;
  }

  async conduct() {
    process.on("SIGINT", this.#interrupt);
    process.on("uncaughtException", this.#uncaught);
    process.on("exit", this.#exiting);
    let status = await this.#attempt(async () => {
      await this.#prepare();
      await this.#measure();
    });
    while (status === "complete" && this.#config.is_interactive) {
      this.#say({ event: "waiting" });
      const { command, runs } = this.#ask();
      if (command !== "more" && command !== "blame") break;
      if (command === "more") this.#runs = runs;
      status = await this.#attempt(() => (command === "more" ? this.#measure() : this.#trace(runs)));
    }
    if (this.#wantsLast && (status === "interrupted" || status === "failed")) {
      this.#say({ event: "stopping" });
      status = await this.#keep(status);
    }
    this.#end(status);
    exit.call(process, 0);
  }

  #end(status) {
    this.#isOver = true;
    this.#say({ event: "end", status, runs_completed: this.#completed });
  }

  async #attempt(steps) {
    try {
      await steps();
      return "complete";
    } catch (error) {
      if (error instanceof Interrupted) return "interrupted";
      const place = { event: "error", phase: this.#phase, run: this.#run };
      if (error instanceof ModeDoesNotApply) {
        this.#say({ ...place, message: error.message, hint: "" });
        return "not-applicable";
      }
      this.#say({ ...place, ...described(error) });
      return "failed";
    }
  }

  async #keep(status) {
    try {
      await this.#finish();
    } catch (error) {
      if (error instanceof Interrupted) return "interrupted";
      this.#say({ event: "error", phase: "snapshot", run: this.#run, ...described(error) });
    }
    return status;
  }

  async #prepare() {
    this.#say({ event: "started", pid: process.pid, ...runtime() });
    this.#phase = "import";
    const call = await this.#unlessStopped(() => loadScenario(this.#config.target));
    this.#scenario = new Scenario(call, this.#config.mode, this.#config.chunks);
    this.#say({ event: "imported" });
    this.#phase = "warm-up";
    for (let run = 1; run <= this.#config.warmup; run++) {
      this.#run = run;
      await this.#oneRun(run, true);
    }
    this.#phase = "baseline";
    this.#run = 0;
    await this.#unlessStopped(() => drain(this.#collect, 0, this.#config.warmup ? this.#config.settle_seconds : 0));
    this.#atRest = countOf(inFlight());
    // What the first measurements make for good must be older than the baseline.
    for (let i = 0; i < 2; i++) await this.#count();
    await settle(this.#collect);
    this.#snapshot("before");
    await this.#census("baseline", 0);
  }

  async #measure() {
    const { every } = this.#config;
    this.#wantsLast = true;
    for (let run = this.#completed + 1; run <= this.#runs; run++) {
      this.#phase = "run";
      this.#run = run;
      await this.#oneRun(run, false);
      this.#completed = run;
      if (every > 0 && run % every === 0 && run < this.#runs) this.#snapshot(`run-${String(run).padStart(4, "0")}`);
    }
    await this.#finish();
  }


  // Runs that are not measured, and a snapshot that says where their objects were made.
  async #trace(runs) {
    this.#phase = "blame";
    let failed = "";
    try {
      this.#heap.traceAllocations();
      for (let run = this.#completed + 1; run <= this.#completed + runs; run++) {
        await this.#unlessStopped(() => this.#scenario.run(run));
        await this.#unlessStopped(turns);
      }
      // No collection before V8's own: some versions forget in it where objects were made.
      writeHeapSnapshot(path.join(this.#config.output, this.#config.traced_file));
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      failed = described(error).message;
    }
    this.#say({ event: "blamed", written: [], failed });
  }

  async #finish() {
    this.#phase = "settle";
    this.#wantsLast = false;
    const before = inFlight();
    const waited = await this.#unlessStopped(() => drain(this.#collect, this.#atRest, this.#config.settle_seconds));
    const after = inFlight();
    this.#say({
      event: "settled",
      tasks_at_rest: this.#atRest,
      tasks_before: countOf(before),
      tasks_after: countOf(after),
      waited_seconds: rounded(waited, 3),
      kinds: after,
    });
    await this.#census("settled", waited);
    this.#snapshot("after");
  }

  async #oneRun(run, isWarmup) {
    this.#say({ event: "run_start", run, warmup: isWarmup });
    const start = performance.now();
    const ended = await this.#unlessStopped(() => this.#scenario.run(run));
    await this.#unlessStopped(turns);
    const seconds = (performance.now() - start) / 1000;
    this.#say({ event: "run_end", run, warmup: isWarmup, ended, kind: this.#scenario.kind });
    if (!isWarmup) await this.#census("run", seconds);
  }

  async #census(phase, seconds) {
    const figures = await this.#unlessStopped(() => this.#count());
    // V8 does not count by type: now and then a snapshot is taken for that, and not kept.
    const isCounted = phase === "run" && this.#config.count_after.includes(this.#run);
    const file = isCounted ? `.census-${this.#run}.heapsnapshot` : "";
    if (file) writeHeapSnapshot(path.join(this.#config.output, file));
    this.#say({ event: "census", phase, run: this.#run, seconds: rounded(seconds, 6), file, ...figures });
  }

  async #count() {
    this.#heap.forgetConsole();
    return { last_id: await this.#heap.boundary(turns), tasks: countOf(inFlight()), memory: memory() };
  }

  #snapshot(name) {
    this.#phase = "snapshot";
    const file = `${name}.heapsnapshot`;
    const start = performance.now();
    writeHeapSnapshot(path.join(this.#config.output, file));
    const pause = (performance.now() - start) / 1000;
    this.#say({ event: "snapshot", file, run: this.#completed, pause_seconds: rounded(pause, 6) });
  }

  // Ctrl-C does not wait for what the target does.
  #unlessStopped(step) {
    return new Promise((resolve, reject) => {
      const settled = (answer) => (value) => {
        this.#stop = null;
        answer(value);
      };
      if (this.#isInterrupted) {
        this.#isInterrupted = false;
        return reject(new Interrupted());
      }
      this.#stop = settled(reject);
      Promise.resolve().then(step).then(settled(resolve), settled(reject));
    });
  }

  #interrupt = () => {
    // Between two steps it is kept for the next one.
    if (this.#stop === null) this.#isInterrupted = true;
    else this.#stop(new Interrupted());
  };

  #uncaught = (error, origin) => {
    // A program with a handler of its own goes on; without one it would have ended here.
    if (process.listenerCount("uncaughtException") > 1) return;
    if (this.#stop === null) throw error;
    this.#stop(origin === "unhandledRejection" && !(error instanceof Error) ? new Error(String(error)) : error);
  };

  #exiting = (code) => {
    if (this.#isOver) return;
    const where = this.#phase === "run" ? `run ${this.#run}` : this.#phase;
    const message = `the scenario ended its process in ${where} (process.exit(${code}))`;
    const stuck = `${where} waits for a promise that never settles: no timer, no socket is left behind it`;
    this.#say({
      event: "error",
      phase: this.#phase,
      run: this.#run,
      message: code === 13 ? stuck : message,
      hint: code === 13 ? "await only what ends" : "a scenario must return, not end the process",
    });
    // Synchronous, so it can still be taken here.
    if (this.#wantsLast) this.#snapshot("after");
    this.#end("failed");
  };
}

function runtime() {
  return {
    runtime: "node",
    python: "",
    implementation: "node",
    version: process.versions.node,
    v8: process.versions.v8,
    executable: process.execPath,
    platform: `${process.platform}-${process.arch}`,
  };
}

function described(error) {
  if (error instanceof TargetError) return { message: error.message, hint: error.hint };
  if (!(error instanceof Error)) return { type: typeof error, message: String(error), hint: "", traceback: "" };
  return {
    type: error.code === undefined ? error.name : `${error.name} [${error.code}]`,
    message: error.message,
    hint: "",
    traceback: targetsPart(String(error.stack)),
  };
}

// The stack without leakscan's own files: what the user wrote.
function targetsPart(stack) {
  const own = import.meta.url.slice(0, import.meta.url.lastIndexOf("/"));
  const lines = stack.split("\n");
  const driver = lines.findIndex((line) => line.includes(own));
  const above = driver < 0 ? lines : lines.slice(0, driver);
  while (above.length > 1 && /^\s+at .*\(?node:/.test(above.at(-1))) above.pop();
  return above.join("\n");
}

function memory() {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const heap = v8.getHeapStatistics();
  return {
    rss_bytes: rss,
    heap_total_bytes: heapTotal,
    heap_used_bytes: heapUsed,
    external_bytes: external,
    array_buffers_bytes: arrayBuffers,
    malloced_bytes: heap.malloced_memory,
    global_handles_bytes: heap.used_global_handles_size,
    contexts: heap.number_of_native_contexts,
    detached_contexts: heap.number_of_detached_contexts,
    ...ofTheKernel(),
  };
}

function ofTheKernel() {
  const wanted = { Anonymous: "anonymous_bytes", Pss_File: "pss_file_bytes", Swap: "swap_bytes" };
  const found = {};
  for (const line of smapsRollup().split("\n")) {
    const [key, rest] = line.split(":");
    if (key in wanted) found[wanted[key]] = Number.parseInt(rest, 10) * 1024;
  }
  return found;
}

// Read into a buffer of its own: `readFileSync` would take from a pool that lives on.
const page = new Uint8Array(4096);

function smapsRollup() {
  let file;
  try {
    file = fs.openSync("/proc/self/smaps_rollup", "r");
  } catch {
    return ""; // a system without it
  }
  try {
    return new TextDecoder().decode(page.subarray(0, fs.readSync(file, page)));
  } finally {
    fs.closeSync(file);
  }
}

function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
