"use strict";

// What a request is about, by its path: /dbs/D/colls/C/docs/I.
//
// type: of the resource, as it is signed; link: the resource, or for a list its parent, with names
// as they are and not as they are sent; database, container and item as far as the path goes.

const { Refused } = require("./refused");

function place(request) {
  const path = request.url.split("?")[0];
  let parts;
  try {
    parts = path.split("/").filter(each => each).map(decodeURIComponent);
  } catch {
    throw new Refused(400, "BadRequest", "The path is malformed.");
  }
  const single = parts.length % 2 === 0;
  return {
    type: (single ? parts.at(-2) : parts.at(-1)) || "",
    link: (single ? parts : parts.slice(0, -1)).join("/"),
    database: parts[1],
    container: parts[3],
    item: parts[5],
  };
}

module.exports = { place };
