// The heap of a page in headless Chromium: node chromium_snapshot.mjs PAGE.html OUT.heapsnapshot
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { open } from './chromium.mjs';

const [, , page, output] = process.argv;
const chromium = await open();
await chromium.call('Page.enable');
const loaded = new Promise((done) => chromium.on('Page.loadEventFired', done));
await chromium.call('Page.navigate', { url: pathToFileURL(path.resolve(page)).href });
await loaded;
await chromium.call('HeapProfiler.enable');
await chromium.call('HeapProfiler.collectGarbage');
const file = fs.openSync(output, 'w');
chromium.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => fs.writeSync(file, chunk));
await chromium.call('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
fs.closeSync(file);
await chromium.close();
process.exit(0);
