// One scenario, run again and again, each run brought to the same kind of end.

import { AsyncResource } from "node:async_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { FINISHED_EARLY, ModeDoesNotApply, TIMED_OUT, streamOf } from "./streams.mjs";

// What a scenario is given. `signal` is aborted by --mode timeout.
class RunContext {
  #controller = new AbortController();
  #isSignalUsed = false;

  constructor(run, mode) {
    this.run = run;
    this.mode = mode;
  }

  get signal() {
    this.#isSignalUsed = true;
    return this.#controller.signal;
  }

  abort() {
    if (!this.#isSignalUsed)
      throw new ModeDoesNotApply("the scenario does not take the signal it is given: run({ signal })");
    this.#controller.abort(new DOMException("aborted by leakscan (--mode timeout)", "TimeoutError"));
  }

  isAbort(error) {
    const { signal } = this.#controller;
    if (!signal.aborted) return false;
    return error === signal.reason || error?.name === "AbortError" || error?.name === "TimeoutError";
  }
}

export class Scenario {
  #call;
  #mode;
  #chunks;
  #isPlain = false;
  kind = "";

  constructor(call, mode, chunks) {
    // The module that exports it keeps it: a path must lead there, not here.
    this.#call = new WeakRef(call);
    this.#mode = mode;
    this.#chunks = chunks;
  }

  // Do one run; how it ended. What the target throws passes through.
  async run(run) {
    // In a context of its own, as a server gives each request: what it stores there ends with it.
    const resource = new AsyncResource("leakscan run", { requireManualDestroy: false });
    return await resource.runInAsyncScope(() => this.#drive(new RunContext(run, this.#mode)));
  }

  async #drive(context) {
    const returned = this.#call.deref()(context);
    const isAsync = typeof returned?.then === "function";
    if (isAsync && this.#isPlain && this.#mode === "timeout") return await this.#abortPending(returned, context);
    const value = isAsync ? await returned : returned;
    const stream = streamOf(value);
    const made = isAsync ? "async function" : "function";
    if (stream !== null) {
      this.kind = `${made} that returns ${stream.name}`;
      return await stream.ends[this.#mode](value, this.#chunks, context);
    }
    this.kind = made;
    this.#isPlain = true;
    // The first run only shows what the scenario is.
    if (this.#mode !== "consume" && !(isAsync && this.#mode === "timeout"))
      throw new ModeDoesNotApply(`the scenario returns no stream: --mode ${this.#mode} has nothing to end`);
    return "returned";
  }

  async #abortPending(returned, context) {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    returned.then(over, over);
    for (let turn = 0; turn < this.#chunks && !isOver; turn++) await nextTurn();
    if (!isOver) context.abort();
    try {
      await returned;
    } catch (error) {
      if (!context.isAbort(error)) throw error;
      return TIMED_OUT;
    }
    return FINISHED_EARLY;
  }
}
