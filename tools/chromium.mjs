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
      // Processes of the browser that end last may still write to it.
      fs.rmSync(profile, { recursive: true, force: true, maxRetries: 50, retryDelay: 200 });
    },
  };
}
