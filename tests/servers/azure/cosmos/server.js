"use strict";

// Cosmos DB for NoSQL: @vercel/cosmosdb-server behind checks of what it does not check itself.
//
// node server.js PORT, with the variables that signature.js names. What a test can ask for is in
// bench.js; what the emulator is cured of, in mended.js.

const account = require("./mended");
const bench = require("./bench");
const items = require("./items");
const replica = require("./replica");
const signature = require("./signature");
const { createHttpServer } = require("@vercel/cosmosdb-server");
const { Refused } = require("./refused");
const { place } = require("./place");

const LARGEST = 2 * 1024 * 1024; // of an item, in bytes of UTF-8

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function parsed(bytes) {
  try {
    return bytes.length ? JSON.parse(bytes.toString()) : undefined;
  } catch {
    throw new Refused(400, "BadRequest", "The request payload is invalid.");
  }
}

// Answers in the service's form: every error has a code, every item answer a session token.
function completed(request, response, where) {
  const end = response.end.bind(response);
  response.end = text => {
    const status = response.statusCode;
    if (status >= 400) {
      const said = text ? JSON.parse(text) : {};
      const code = said.code || { 404: "NotFound", 409: "Conflict" }[status] || "BadRequest";
      if (!response.hasHeader("x-ms-substatus")) response.setHeader("x-ms-substatus", "0");
      text = JSON.stringify({ code, message: said.message || code });
      if (where.type === "docs") replica.stamp(response, where);
    } else if (where.type === "docs") {
      text = replica.answered(request, response, where, text);
    }
    if (where.type === "" && status === 200) text = account.atHome(text, request.headers.host);
    return end(text);
  };
}

function refuse(response, refused) {
  response.statusCode = refused.status;
  response.setHeader("content-type", "application/json");
  response.setHeader("x-ms-activity-id", "00000000-0000-0000-0000-000000000000");
  response.setHeader("x-ms-substatus", String(refused.substatus));
  response.end(JSON.stringify({ code: refused.code, message: refused.message }));
}

async function serve(request, response, emulator) {
  try {
    const bytes = await body(request);
    if (bench.answered(request, response)) return;
    const where = place(request);
    signature.check(request, where);
    request.body = parsed(bytes);
    if (where.type === "docs") {
      if (bytes.length > LARGEST) {
        throw new Refused(413, "RequestEntityTooLarge", "Request size is too large.");
      }
      items.check(request, where, account.current());
      if (replica.behind(request, response, where, account.current())) return;
    }
    completed(request, response, where);
    emulator(request, response);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(response, error);
  }
}

const server = createHttpServer({ keepAlive: true });
const [emulator] = server.listeners("request");
server.removeAllListeners("request");
server.on("request", (request, response) => void serve(request, response, emulator));
// No clock of this server ends a kept connection: tests say when.
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), "127.0.0.1");
