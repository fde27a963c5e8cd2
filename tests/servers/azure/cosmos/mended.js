"use strict";

// @vercel/cosmosdb-server 1.0.1, cured of this: it answers 500 for a missing item, looks at the
// first partition path only, keeps expired items, and names itself as https.

const library = "@vercel/cosmosdb-server/lib";
const accounts = require(`${library}/account`);
const documents = require(`${library}/account/documents`).default;
const json = require(`${library}/json`);
const partitions = require(`${library}/utils/get-partition-from-header`);
const { canonical, partitionOf } = require("./partition");

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
function expired(item, container) {
  const preset = container.defaultTtl;
  const ttl = preset === undefined || preset === null ? -1 : (item.ttl ?? preset);
  return ttl !== -1 && item._ts + ttl <= Math.floor(Date.now() / 1000);
}

documents.prototype._sweep = function () {
  const container = this._parent.read();
  for (const each of [...this._data.values()].map(each => each.read())) {
    if (expired(each, container)) this.delete(each.id, this._getPartition(each));
  }
};

// Expired items are gone at once, whoever looks.
for (const look of ["create", "query", "read", "upsert"]) {
  const plain = documents.prototype[look];
  documents.prototype[look] = function (...rest) {
    if (this._parent.read()) this._sweep();
    return plain.apply(this, rest);
  };
}

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
