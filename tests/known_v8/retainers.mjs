// One object of its own class for each way in which V8 and Node hold things:
// node retainers.mjs OUT.heapsnapshot. What the paths to them read is in retainers.toml.
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import v8 from 'node:v8';

class InMap {} class InSet {} class AsMapKey {} class ByNumber {} class ByObject {} class BySymbol {}
class InPrivateField {} class InStaticField {} class InPrivateStatic {} class InArray {} class ByOddName {}
class InListener {} class InOneOfTwoListeners {} class InOnceListener {} class InEventTarget {} class InAbortSignal {}
class InClosure {} class InOuterScope {} class InBlockOfOne {} class InBlockOfTwo {} class InModuleScope {}
class InAsyncFunction {} class InOuterAsyncFunction {} class InGenerator {} class InAsyncGenerator {}
class InThenCallback {} class InPromise {} class InRejection {} class InPromiseAll {}
class InTimeout {} class AsTimerArgument {} class InInterval {} class InImmediate {} class InAsyncStore {}
class AsBoundThis {} class AsBoundArgument {} class InWeakMap {} class InRegistry {} class InProxy {} class InGetter {}
class InIterator {} class InArguments {} class InCause {}
class InBase {} class Derived extends InBase {}

const never = new Promise(() => {});
const kept = globalThis;

class Workflow {
  static all = [new InStaticField()];
  static #cached = new InPrivateStatic();
  static cached() { return Workflow.#cached; }
  #runs = new Map();
  #last = new InPrivateField();
  members = new Set();
  chunks = [0, new InArray()];
  start() {
    this.#runs.set('run-17', new InMap()).set(42, new ByNumber()).set(new AsMapKey(), 1).set(Workflow, new ByObject());
    this.members.add(new InSet());
    this[Symbol.for('tag')] = new BySymbol();
    this['odd-name'] = new ByOddName();
  }
  last() { return this.#last; }
}
kept.Workflow = Workflow;
kept.flow = new Workflow();
kept.flow.start();
kept.derived = Derived;
kept.base = new InBase();

kept.bus = new EventEmitter();
function listen(event, it) { kept.bus.on(event, function onChunk() { return it; }); }
listen('chunk', new InListener());
listen('data', new InOneOfTwoListeners());
kept.bus.on('data', () => {});
{ const held = new InOnceListener(); kept.bus.once('end', function onEnd() { return held; }); }
{ const held = new InEventTarget(); kept.target = new EventTarget(); kept.target.addEventListener('open', () => held); }
{ const held = new InAbortSignal(); kept.signal = new AbortController().signal; kept.signal.addEventListener('abort', () => held); }

function makeInner(captured) { return function inner() { return captured; }; }
kept.inner = makeInner(new InClosure());
function makeDeep(outer) { return function middle() { const own = 1.5; return function deep() { return [outer, own]; }; }; }
kept.deep = makeDeep(new InOuterScope())();
{ const one = new InBlockOfOne(); kept.blockOfOne = () => one; }
{ const number = process.argv.length, two = new InBlockOfTwo(); kept.blockOfTwo = () => [number, two]; }
const inModule = new InModuleScope();
kept.useModule = () => inModule;

async function innermost() { const own = new InAsyncFunction(); await kept.gate; return own; }
async function outermost() { const own = new InOuterAsyncFunction(); await innermost(); return own; }
kept.gate = new Promise(() => {});
outermost();
function* numbers() { const own = new InGenerator(); yield 1; return own; }
kept.numbers = numbers(); kept.numbers.next();
async function* stream() { const own = new InAsyncGenerator(); yield 1; return own; }
kept.stream = stream(); await kept.stream.next();

kept.pending = new Promise(() => {});
{ const held = new InThenCallback(); kept.pending.then(function onFulfilled() { return held; }); }
kept.settled = Promise.resolve(new InPromise());
kept.rejected = Promise.reject(new InRejection()); kept.rejected.catch(() => {});
kept.never = never;
kept.many = Promise.all([never, Promise.resolve(new InPromiseAll())]);

{ const held = new InTimeout(); setTimeout(function onTimeout() { return held; }, 1e8); }
setTimeout(() => {}, 2e8, new AsTimerArgument());
{ const held = new InInterval(); setInterval(function onInterval() { return held; }, 3e8); }
new AsyncLocalStorage().run({ store: new InAsyncStore() }, () => setTimeout(() => {}, 4e8));

kept.bound = (function callback() {}).bind(new AsBoundThis(), new AsBoundArgument());
kept.key = { it: 'is a key' };
kept.extras = new WeakMap([[kept.key, new InWeakMap()]]);
kept.registry = new FinalizationRegistry(() => {}); kept.registry.register(kept.key, new InRegistry());
kept.proxy = new Proxy(new InProxy(), {});
{ const held = new InGetter(); Object.defineProperty(kept, 'current', { get: () => held, configurable: true }); }
kept.iterator = [new InIterator()].values();
kept.given = (function () { return arguments; })(new InArguments());
kept.error = new Error('failed', { cause: new InCause() });
// Promise.all fills its values in microtasks.
await new Promise((ready) => setImmediate(ready));
{ const held = new InImmediate(); setImmediate(function onImmediate() { return held; }); }

v8.writeHeapSnapshot(process.argv[2]);
process.exit(0);
