// Entry of the observed process: `node driver.mjs CONFIG`. Says what happens, as JSON lines, on a
// pipe; keeps nothing of a run, so that neither leakscan's objects nor their growth appear in what it measures.

import fs from "node:fs";
import process from "node:process";
import { Session } from "./session.mjs";

const config = JSON.parse(process.argv[2]);
process.argv.splice(2);

function say(event) {
  // Not a Buffer: a small one is cut from a pool that lives on.
  const line = new TextEncoder().encode(JSON.stringify(event) + "\n");
  try {
    for (let sent = 0; sent < line.length; ) sent += fs.writeSync(config.events_fd, line, sent);
  } catch (error) {
    if (error.code === "EPIPE") process.reallyExit(3); // nobody listens any more
    throw error;
  }
}

function ask() {
  const block = Buffer.alloc(1 << 16);
  let text = "";
  while (!text.includes("\n")) {
    const size = fs.readSync(config.control_fd, block);
    if (!size) return { command: "end" };
    text += block.toString("utf8", 0, size);
  }
  return JSON.parse(text);
}

await new Session(config, { say, ask }).conduct();
