"use strict";

// Partition keys in a form to compare: the JSON of the list of values, {} for what is not there.

function canonical(values) {
  return JSON.stringify(values);
}

function valueAt(item, path) {
  let found = item;
  for (const each of path.slice(1).split("/")) {
    const name = each.replace(/^"(.*)"$/, "$1");
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, name)) return {};
    found = found[name];
  }
  return found;
}

function partitionOf(item, paths) {
  return canonical(paths.map(path => valueAt(item, path)));
}

module.exports = { canonical, partitionOf };
