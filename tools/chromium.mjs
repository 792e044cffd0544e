// A headless Chromium and one page of it, over the DevTools protocol. Needs `WebSocket`: Node 22, or Node 20
// with --experimental-websocket.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

// Resolves to { origin, call, on, close }: `origin` serves DevTools' own files, `on` hears one event.
export async function open(...more) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'leakscan-chromium-'));
  const browser = spawn(
    'chromium',
    ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', '--remote-allow-origins=*',
      `--user-data-dir=${profile}`, ...more, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const port = await new Promise((found, failed) => {
    let said = '';
    browser.on('exit', () => failed(new Error(`chromium ended: ${said.slice(-500)}`)));
    browser.stderr.on('data', (text) => {
      said += text;
      const match = said.match(/DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/);
      if (match) found(match[1]);
    });
  });
  const origin = `http://127.0.0.1:${port}`;
  const page = (await (await fetch(`${origin}/json`)).json()).find((target) => target.type === 'page');
  const socket = new WebSocket(page.webSocketDebuggerUrl);
  await new Promise((opened) => { socket.onopen = opened; });
  const waiting = new Map();
  const events = new Map();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.id) waiting.get(message.id)(message.result ?? message);
    else events.get(message.method)?.(message.params);
  };
  return {
    origin,
    on: (event, hear) => events.set(event, hear),
    call(method, params = {}) {
      last += 1;
      socket.send(JSON.stringify({ id: last, method, params }));
      return new Promise((answer) => waiting.set(last, answer));
    },
    async close() {
      const gone = new Promise((ended) => browser.on('exit', ended));
      browser.kill();
      await gone;
      await removed(profile);
    },
  };
}

// Processes of the browser that end last may still write to its profile. The `maxRetries` of rmSync try a folder
// again but not the files that are new in it, so a single late file made it wait for minutes.
async function removed(profile) {
  for (let left = 100; ; left -= 1) {
    try {
      return fs.rmSync(profile, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' || left === 0) throw error;
      await new Promise((later) => { setTimeout(later, 50); });
    }
  }
}
