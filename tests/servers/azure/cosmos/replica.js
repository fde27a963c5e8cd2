"use strict";

// Sessions: how far the container's log has come, and a replica that lags behind on demand.
//
// A container has one partition range here, and a token is that of one: 0:-1#LSN.

const account = require("./mended");
const { isQuery } = require("./items");

const lsns = new Map(); // by the rid of the container
let lag = { reads: 0, frozen: new Map() };

function ridOf(where) {
  return account.current().database(where.database).collection(where.container).read()?._rid;
}

function token(lsn) {
  return `0:-1#${lsn}`;
}

function asked(request) {
  const given = request.headers["x-ms-session-token"] || "";
  const found = /(?:^|,)\s*0:-?\d+#(\d+)/.exec(given);
  return found ? Number(found[1]) : 0;
}

// Lets the next `reads` reads of items see what there is now, whatever is written meanwhile.
function fallBehind(reads) {
  lag = { reads, frozen: new Map() };
  for (const database of account.current().databases._data.values()) {
    for (const container of database.collections._data.values()) {
      const { _rid } = container.read();
      const items = structuredClone([...container.documents._data.values()].map(e => e.read()));
      lag.frozen.set(_rid, { lsn: lsns.get(_rid) || 0, items });
    }
  }
}

function catchUp() {
  lag = { reads: 0, frozen: new Map() };
}

// Answers a read of an item from the lagging replica; tells whether it did.
function behind(request, response, where, current) {
  const container = current.database(where.database).collection(where.container);
  const rid = container.read()._rid;
  const frozen = lag.frozen.get(rid) || { lsn: lsns.get(rid) || 0, items: [] };
  const isRead = request.method === "GET" && where.item !== undefined;
  if (!isRead) return false;
  const lagging = lag.reads > 0;
  if (lagging) lag.reads -= 1;
  const reached = lagging ? frozen.lsn : lsns.get(rid) || 0;
  if (lagging || asked(request) > reached) stamp(response, where, reached);
  if (asked(request) > reached) return said(response, 404, undefined, 1002);
  if (!lagging) {
    // The emulator's own check of the key breaks where there is no item; ours is done.
    request.headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
    return false;
  }
  const partition = JSON.stringify(JSON.parse(request.headers["x-ms-documentdb-partitionkey"]));
  const item = frozen.items.find(
    each => each.id === where.item && container.documents._getPartition(each) === partition,
  );
  return item ? said(response, 200, item) : said(response, 404);
}

function said(response, status, item, substatus = 0) {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.setHeader("x-ms-substatus", String(substatus));
  if (item) response.setHeader("etag", item._etag);
  response.end(JSON.stringify(item || { code: "NotFound", message: "Resource Not Found" }));
  return true;
}

// Says in an answer, a refusal too, what container gave it, and how far that has come.
function stamp(response, where, lsn) {
  const rid = ridOf(where);
  response.setHeader("x-ms-session-token", token(lsn ?? (lsns.get(rid) || 0)));
  response.setHeader("x-ms-content-path", rid);
  response.setHeader("x-ms-alt-content-path", `dbs/${where.database}/colls/${where.container}`);
  response.setHeader("x-ms-documentdb-partitionkeyrangeid", "0");
}

// Completes the answer to a request about items that went well; gives its text.
function answered(request, response, where, text) {
  const rid = ridOf(where);
  const isWrite = request.method !== "GET" && !isQuery(request);
  if (isWrite) lsns.set(rid, (lsns.get(rid) || 0) + 1);
  stamp(response, where);
  const minimal = /\breturn=minimal\b/.test(request.headers.prefer || "");
  return isWrite && minimal ? undefined : text;
}

module.exports = { answered, behind, catchUp, fallBehind, stamp };
