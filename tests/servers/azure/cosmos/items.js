"use strict";

// What Cosmos DB checks of a request about items, before it looks at any.

const { Refused } = require("./refused");
const { canonical, partitionOf } = require("./partition");

const LONGEST = 1023; // bytes of an id
const MOST = 2147483647; // seconds of a ttl

function bad(message, substatus) {
  return new Refused(400, "BadRequest", message, substatus);
}

function is(request, header) {
  return (request.headers[header] || "").toLowerCase() === "true";
}

function isQuery(request) {
  return (
    is(request, "x-ms-documentdb-isquery") ||
    request.headers["content-type"] === "application/query+json"
  );
}

// Gives the definition of the container.
function check(request, where, account) {
  const found = account.database(where.database).collection(where.container).read();
  if (!found) throw new Refused(404, "NotFound", "Owner resource does not exist", 1003);
  // The emulator compares entity tags, and knows no word for any of them.
  if (request.headers["if-match"] === "*") delete request.headers["if-match"];
  const isItem = where.item !== undefined;
  if (request.method === "POST" && !isItem && !isQuery(request)) {
    if (!is(request, "x-ms-cosmos-is-batch-request")) checkItem(request, found);
  } else if (isItem) {
    checkKey(request, found);
    if (request.method === "PUT") {
      checkItem(request, found);
      if (request.body.id !== where.item) throw bad("The id in the body is not that in the path.");
    }
  }
  return found;
}

function checkKey(request, container) {
  const header = request.headers["x-ms-documentdb-partitionkey"];
  let key;
  try {
    key = JSON.parse(header);
  } catch {
    throw bad("The partition key is missing or malformed.", 1001);
  }
  if (!Array.isArray(key) || key.length !== container.partitionKey.paths.length) {
    throw bad("The partition key has not as many components as the container has paths.", 1001);
  }
  return canonical(key);
}

function checkItem(request, container) {
  const item = request.body;
  if (item === null || typeof item !== "object" || Array.isArray(item)) {
    throw bad("The input content is invalid because it is no object.");
  }
  checkId(item.id);
  if (checkKey(request, container) !== partitionOf(item, container.partitionKey.paths)) {
    throw bad("PartitionKey extracted from document doesn't match the one of the header.", 1001);
  }
  const { ttl } = item;
  const fine = Number.isInteger(ttl) && (ttl === -1 || (ttl > 0 && ttl <= MOST));
  if (ttl !== undefined && !fine) {
    throw bad("The input ttl is invalid: it is -1 or a positive integer.");
  }
}

function checkId(id) {
  if (typeof id !== "string" || id === "" || Buffer.byteLength(id) > LONGEST) {
    throw bad("The input content is invalid because the required property 'id' is not fine.");
  }
  if (/[/\\?#]/.test(id)) throw bad("The id contains invalid characters.");
}

module.exports = { check, isQuery };
