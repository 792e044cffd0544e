// The heap snapshot engine of Chrome DevTools' front end, from its npm package, in plain Node.
// devtools.mjs sizes FILE   one JSON array: [id, shallow size, retained size] of every node
// devtools.mjs load FILE    loads it with dominators and retained sizes, and prints the number of nodes
// Bundled with esbuild into the folder of the packages by tools/v8_engines.py.
import fs from 'node:fs';
import { HeapSnapshot, HeapSnapshotLoader } from 'chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker/heap_snapshot_worker.ts';

// Node 20 has no `Promise.withResolvers` yet.
Promise.withResolvers ??= function withResolvers() {
  let resolve, reject;
  const promise = new Promise((good, bad) => { resolve = good; reject = bad; });
  return { promise, resolve, reject };
};

const [, , work, file] = process.argv;
const nobody = { sendEvent() {}, updateStatus() {}, updateProgress() {}, reportProblem() {} };
const channel = new MessageChannel();
new HeapSnapshot.SecondaryInitManager(channel.port2);
const loader = new HeapSnapshotLoader.HeapSnapshotLoader(nobody);
for await (const block of fs.createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
  loader.write(block);
  // The loader parses what it was given in a task of its own.
  await null;
}
loader.close();
const snapshot = await loader.buildSnapshot(channel.port1);
channel.port1.close();
const { nodes, nodeFieldCount: width, nodeIdOffset: id, nodeSelfSizeOffset: size } = snapshot;
if (work === 'sizes') {
  const rows = [];
  for (let at = 0; at < nodes.length; at += width)
    rows.push([nodes.getValue(at + id), nodes.getValue(at + size), snapshot.retainedSizes[at / width]]);
  process.stdout.write(JSON.stringify(rows), () => process.exit(0));
} else {
  process.stdout.write(`${nodes.length / width}\n`, () => process.exit(0));
}
