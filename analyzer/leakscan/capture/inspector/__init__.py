"""A running Node, Chrome or Deno: snapshots over its inspector, with nothing loaded into it."""
