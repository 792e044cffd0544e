// Sizes by the DevTools of an installed Chromium: node devtools_sizes.mjs FILE.heapsnapshot
// Prints one JSON array: [id, shallow size, retained size] of every node. Needs chromium.
// Chromium serves the files of its DevTools on its debugging port, and the heap snapshot engine among them
// runs in any page of that origin.
import fs from 'node:fs';
import http from 'node:http';
import { open } from './chromium.mjs';

const [, , file] = process.argv;
const files = http.createServer((request, response) => {
  response.setHeader('Access-Control-Allow-Origin', '*');
  fs.createReadStream(file).pipe(response);
});
await new Promise((ready) => files.listen(0, '127.0.0.1', ready));
const chromium = await open('--disable-web-security', '--disable-features=LocalNetworkAccessChecks');
await chromium.call('Page.enable');
const loaded = new Promise((done) => chromium.on('Page.loadEventFired', done));
await chromium.call('Page.navigate', { url: `${chromium.origin}/json/version` });
await loaded;
const expression = `(async () => {
  await import('/devtools/core/i18n/i18n.js');
  const engine = await import('/devtools/entrypoints/heap_snapshot_worker/heap_snapshot_worker.js');
  const channel = new MessageChannel();
  new engine.HeapSnapshot.SecondaryInitManager(channel.port2);
  const nobody = { sendEvent() {}, updateStatus() {}, updateProgress() {}, reportProblem() {} };
  const loader = new engine.HeapSnapshotLoader.HeapSnapshotLoader(nobody);
  const text = await (await fetch('http://127.0.0.1:${files.address().port}/')).text();
  for (let at = 0; at < text.length; at += 1e6) loader.write(text.slice(at, at + 1e6));
  loader.close();
  const snapshot = await loader.buildSnapshot(channel.port1);
  const { nodes, nodeFieldCount: width, nodeIdOffset: id, nodeSelfSizeOffset: size } = snapshot;
  const rows = [];
  for (let at = 0; at < nodes.length; at += width)
    rows.push([nodes.getValue(at + id), nodes.getValue(at + size), snapshot.retainedSizes[at / width]]);
  return JSON.stringify(rows);
})()`;
const answer = await chromium.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
await chromium.close();
if (answer.exceptionDetails) {
  console.error(answer.exceptionDetails.exception?.description ?? answer);
  process.exit(1);
}
process.stdout.write(answer.result.value, () => process.exit(0));
