"use strict";

// A request that Cosmos DB does not carry out.
class Refused extends Error {
  constructor(status, code, message, substatus = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.substatus = substatus;
  }
}

module.exports = { Refused };
