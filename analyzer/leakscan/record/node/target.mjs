// Import the scenario named on the command line: `path/to/file.mjs:name`, or a file's default export.

import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

export class TargetError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

export async function loadScenario(target) {
  const at = target.lastIndexOf(":");
  const [file, name] = at < 0 ? [target, "default"] : [target.slice(0, at), target.slice(at + 1)];
  const absolute = path.resolve(file);
  if (!existsSync(absolute)) throw new TargetError(`${file}: no such file`, "give a path relative to the current folder");
  process.argv[1] = absolute;
  const exports = await import(pathToFileURL(absolute));
  const found = lookUp(exports, name);
  if (found === undefined) {
    const names = callables(exports);
    const hint = names.length ? `it exports ${names.slice(0, 8).join(", ")}` : "export a function that does one run";
    throw new TargetError(`${target}: there is no export ${JSON.stringify(name)}`, hint);
  }
  if (typeof found !== "function")
    throw new TargetError(
      `${target} is of type ${found === null ? "null" : typeof found}, not a function`,
      "name a function (sync, async or a generator) that does one unit of work",
    );
  return found;
}

// The names that a CommonJS module exports are those of its `default`, whether or not Node could tell them.
function lookUp(exports, dotted) {
  let found = dotted.split(".").reduce((owner, name) => owner?.[name], exports);
  found ??= dotted.split(".").reduce((owner, name) => owner?.[name], exports.default);
  return found;
}

function callables(exports) {
  const own = { ...(typeof exports.default === "object" ? exports.default : {}), ...exports };
  return Object.keys(own)
    .filter((name) => typeof own[name] === "function")
    .sort();
}
