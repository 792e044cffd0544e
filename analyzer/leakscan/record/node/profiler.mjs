// Collections, and the ids of V8's heap objects, so that a run has a first and a last one.
//
// V8 numbers an object when it first looks at the whole heap after the object was made. Starting to track
// heap objects is such a look, made at once: a full collection and one walk. Ids live as long as the
// session that tracks does, so it is opened once and never told to stop.

import inspector from "node:inspector";

export class HeapProfiler {
  #session = new inspector.Session();

  constructor() {
    this.#session.connect();
  }

  // Without `gc`, which a program would find as a global and may use.
  collect() {
    this.#ask("HeapProfiler.collectGarbage");
  }

  // An id larger than that of every object alive now, smaller than those of objects still to come. Finalizers
  // of what the first look collects get their turn in `between`; what they make may count for the next run.
  async boundary(between) {
    this.#look();
    await between();
    // Made after the first look and numbered by the second: ids within one look have no order.
    const { result } = this.#ask("Runtime.evaluate", { expression: "({})" });
    this.#look();
    const { heapSnapshotObjectId } = this.#ask("HeapProfiler.getHeapObjectId", { objectId: result.objectId });
    this.#ask("Runtime.releaseObject", { objectId: result.objectId });
    return Number(heapSnapshotObjectId);
  }

  // From now on snapshots say in which functions each new object was made. Ids of before mean nothing any more.
  traceAllocations() {
    this.#ask("HeapProfiler.stopTrackingHeapObjects", { reportProgress: false });
    this.#ask("HeapProfiler.startTrackingHeapObjects", { trackAllocations: true });
  }

  // The inspector keeps what was logged, arguments and all, for a front end that may come.
  forgetConsole() {
    this.#ask("Runtime.discardConsoleEntries");
  }

  #look() {
    this.#ask("HeapProfiler.startTrackingHeapObjects", { trackAllocations: false });
  }

  #ask(method, parameters) {
    let failure = null;
    let answer = null;
    // In-process sessions answer before `post` returns.
    this.#session.post(method, parameters, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure) throw new Error(`${method}: ${failure.message ?? JSON.stringify(failure)}`);
    return answer;
  }
}
