// memlab's engine, from its npm package.
// memlab.cjs sizes FILE   one JSON array: [id, shallow size, retained size] of every node
// memlab.cjs load FILE    loads it with dominators and retained sizes, and prints the number of nodes
const { config, utils, TraceFinder } = require('@memlab/core');

const [, , work, file] = process.argv;
config.muteConsole = true;
utils.getSnapshotFromFile(file, { buildNodeIdIndex: true, verbose: false }).then((snapshot) => {
  new TraceFinder().calculateAllNodesRetainedSizes(snapshot);
  if (work === 'load') {
    console.log(snapshot.nodes.length);
    return;
  }
  const rows = [];
  snapshot.nodes.forEach((node) => { rows.push([node.id, node.self_size, node.retainedSize]); });
  process.stdout.write(JSON.stringify(rows));
});
