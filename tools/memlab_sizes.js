// Sizes by memlab: node memlab_sizes.js FILE.heapsnapshot, in a folder with @memlab/core installed.
// Prints one JSON array: [id, shallow size, retained size] of every node.
const { createRequire } = require('node:module');
const { config, utils, TraceFinder } = createRequire(`${process.cwd()}/`)('@memlab/core');

config.muteConsole = true;
utils.getSnapshotFromFile(process.argv[2], { buildNodeIdIndex: true, verbose: false }).then((snapshot) => {
  new TraceFinder().calculateAllNodesRetainedSizes(snapshot);
  const rows = [];
  snapshot.nodes.forEach((node) => { rows.push([node.id, node.self_size, node.retainedSize]); });
  process.stdout.write(JSON.stringify(rows));
});
