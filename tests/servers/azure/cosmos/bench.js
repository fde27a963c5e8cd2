"use strict";

// What a test asks of the server itself, without a signature:
//
// GET  /_bench/health
// POST /_bench/reset        forget everything
// POST /_bench/ahead/N      be N seconds ahead of this machine's clock
// POST /_bench/behind/N     answer the next N reads of items as of now, as a lagging replica does

const account = require("./mended");
const replica = require("./replica");

const trueNow = Date.now;
let ahead = 0;
Date.now = () => trueNow() + ahead * 1000;

const DEEDS = {
  "GET health": () => {},
  "POST reset": () => {
    ahead = 0;
    replica.catchUp();
    const { databases } = account.current();
    for (const { id } of [...databases._data.values()].map(e => e.read())) databases.delete(id, id);
  },
  "POST ahead": seconds => void (ahead = Number(seconds)),
  "POST behind": reads => replica.fallBehind(Number(reads)),
};

function answered(request, response) {
  const [, bench, what, how] = request.url.split("/");
  if (bench !== "_bench") return false;
  const deed = DEEDS[`${request.method} ${what}`];
  if (deed) deed(how);
  response.statusCode = deed ? 200 : 404;
  response.end();
  return true;
}

module.exports = { answered };
