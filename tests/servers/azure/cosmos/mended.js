"use strict";

// @vercel/cosmosdb-server 1.0.1, cured of this: it answers 500 for a missing item, looks at the
// first partition path only, keeps expired items, names itself as https, and takes longer for a
// page the more items there are, squared.

const library = "@vercel/cosmosdb-server/lib";
const accounts = require(`${library}/account`);
const documents = require(`${library}/account/documents`).default;
const json = require(`${library}/json`);
const partitions = require(`${library}/utils/get-partition-from-header`);
const { canonical, partitionOf } = require("./partition");

const PAGE_BYTES = 4 * 1024 * 1024;

let current;

accounts.default = class extends accounts.default {
  constructor(...where) {
    super(...where);
    current = this;
  }
};

// The body has been read already.
json.default = async request => request.body;

partitions.parsePartitionKey = header => canonical(JSON.parse(header));

documents.prototype._getPartition = function (item) {
  return partitionOf(item, this._partitionKeyPath);
};

// A container knows the ttl of items only when it has one itself; -1 is none.
function expiryOf(item, container) {
  const preset = container.defaultTtl;
  const ttl = preset === undefined || preset === null ? -1 : (item.ttl ?? preset);
  return ttl === -1 ? Infinity : item._ts + ttl;
}

function expired(item, container) {
  return expiryOf(item, container) <= Math.floor(Date.now() / 1000);
}

// All items are looked at only once one may have expired, else a write would cost as much as there
// are items. `_next` is when that may be, by the container's ttl of that time.
documents.prototype._sweep = function () {
  const container = this._parent.read();
  const known = this._next && this._next.ttl === container.defaultTtl;
  if (known && this._next.at > Math.floor(Date.now() / 1000)) return;
  for (const each of [...this._data.values()].map(each => each.read())) {
    if (expired(each, container)) this.delete(each.id, this._getPartition(each));
  }
  this._next = { ttl: container.defaultTtl, at: Infinity };
  for (const each of this._data.values()) this._await(each.read());
};

documents.prototype._await = function (item) {
  if (this._next) this._next.at = Math.min(this._next.at, expiryOf(item, this._parent.read()));
};

// Expired items are gone at once, whoever looks.
for (const look of ["create", "query", "upsert"]) {
  const plain = documents.prototype[look];
  documents.prototype[look] = function (...rest) {
    if (this._parent.read()) this._sweep();
    return plain.apply(this, rest);
  };
}

// A page of all items, in the order of their creation. The emulator makes one of a list that it
// copies for each item there is. A continuation has the number of the next item.
documents.prototype.read = function ({ maxItemCount, continuation } = {}) {
  if (!this._parent.read()) return null;
  this._sweep();
  const result = [];
  let bytes = 0;
  let number = continuation ? Number(continuation.token) : 1;
  for (; number <= this._ridCount; number += 1) {
    const item = this._data.get(this._rid(number))?.read();
    if (!item) continue; // it was deleted
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (result.length && (result.length === maxItemCount || bytes > PAGE_BYTES)) break;
    result.push(item);
  }
  const more = number <= this._ridCount;
  return { result, continuation: more && { token: String(number), range: { min: "", max: "FF" } } };
};

const lookUp = documents.prototype._item;
documents.prototype._item = function (path, value, partition) {
  const found = lookUp.call(this, path, value, partition);
  const item = found.read();
  if (!item || !expired(item, this._parent.read())) return found;
  this.delete(item.id, this._getPartition(item));
  return this._newItem();
};

// `delete` itself looks up, and would not find what has expired.
documents.prototype.delete = function (id, partition) {
  const item = lookUp.call(this, "/id", id, partition).read();
  if (!item) throw new Error("does not exist");
  for (const path of this._uniqueKeyPaths) {
    const value = path.slice(1).split("/").reduce((found, name) => found?.[name], item);
    this._index.delete(this._getId(path, value, this._getPartition(item)));
  }
  this._data.delete(item._rid);
};

// An entity tag has quotes, as HTTP wants it, and they are part of it.
const set = documents.prototype._set;
documents.prototype._set = function (item) {
  this._await(item);
  return set.call(this, { ...item, _etag: `"${item._etag.replaceAll('"', "")}"` });
};

// The account says where it is: where the client has found it.
function atHome(text, host) {
  const scheme = process.env.COSMOS_SCHEME || "http";
  return text.replaceAll(/"databaseAccountEndpoint":"[^"]*"/g, () => {
    return `"databaseAccountEndpoint":"${scheme}://${host}/"`;
  });
}

module.exports = { current: () => current, atHome };
