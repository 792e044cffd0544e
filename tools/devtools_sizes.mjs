// Sizes by Chrome DevTools' own engine: node devtools_sizes.mjs FILE.heapsnapshot
// Prints one JSON array: [id, shallow size, retained size] of every node. Needs chromium and Node 22.
// A headless Chromium serves the files of its DevTools on its debugging port, and the heap snapshot
// engine among them runs in any page of that origin.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

const [, , file] = process.argv;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'devtools-sizes-'));
const files = http.createServer((request, response) => {
  response.setHeader('Access-Control-Allow-Origin', '*');
  fs.createReadStream(file).pipe(response);
});
await new Promise((ready) => files.listen(0, '127.0.0.1', ready));
const browser = spawn(
  'chromium',
  ['--headless', '--no-sandbox', '--disable-gpu', '--disable-web-security', '--remote-debugging-port=0',
    '--remote-allow-origins=*', '--disable-features=LocalNetworkAccessChecks', `--user-data-dir=${profile}`,
    'about:blank'],
  { stdio: ['ignore', 'ignore', 'pipe'] },
);

const port = await new Promise((found) => {
  let said = '';
  browser.stderr.on('data', (text) => {
    said += text;
    const match = said.match(/DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/);
    if (match) found(match[1]);
  });
});
const origin = `http://127.0.0.1:${port}`;
const page = (await (await fetch(`${origin}/json`)).json()).find((target) => target.type === 'page');
const socket = new WebSocket(page.webSocketDebuggerUrl);
await new Promise((open) => { socket.onopen = open; });

const waiting = new Map();
const events = new Map();
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.id) waiting.get(message.id)(message.result ?? message);
  else events.get(message.method)?.();
};
function call(method, params = {}) {
  const id = waiting.size + 1;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((answer) => waiting.set(id, answer));
}

await call('Page.enable');
const loaded = new Promise((done) => events.set('Page.loadEventFired', done));
await call('Page.navigate', { url: `${origin}/json/version` });
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
const answer = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
const gone = new Promise((ended) => browser.on('exit', ended));
browser.kill();
await gone;
fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
if (answer.exceptionDetails) {
  console.error(answer.exceptionDetails.exception?.description ?? answer);
  process.exit(1);
}
process.stdout.write(answer.result.value, () => process.exit(0));
