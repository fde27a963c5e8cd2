"use strict";

// Whether a request may be believed: the account's key, or a token of Entra ID.
//
// COSMOS_KEY is the key in base64. ENTRA_SECRET is what tests/servers/azure/tokens.py signs with,
// and COSMOS_AUDIENCES a list of audiences, parted by spaces. Source of the rules: "Access control
// on Azure Cosmos DB resources" in the REST reference.

const { createHmac, timingSafeEqual } = require("crypto");
const { Refused } = require("./refused");

const SKEW = 15 * 60 * 1000;

// The true time: bench.js moves the clock of items, which is Date.now.
const now = () => new Date().getTime();

function refusal(message) {
  return new Refused(401, "Unauthorized", message);
}

function same(one, other) {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function check(request, where) {
  if (!request.headers["x-ms-version"]) {
    throw new Refused(400, "BadRequest", "The required header 'x-ms-version' is missing.");
  }
  const date = request.headers["x-ms-date"] || "";
  if (!(Math.abs(Date.parse(date) - now()) <= SKEW)) {
    throw refusal("The required header 'x-ms-date' is missing, malformed or too far off.");
  }
  const given = decodeURIComponent(request.headers.authorization || "");
  const parts = /^type=(master|aad)&ver=1\.0&sig=(.+)$/.exec(given);
  if (parts === null) throw refusal("The authorization token is not in a valid format.");
  if (parts[1] === "aad") return checkToken(parts[2]);
  const text = [request.method, where.type].join("\n").toLowerCase();
  const signed = `${text}\n${where.link}\n${date.toLowerCase()}\n\n`;
  const key = Buffer.from(process.env.COSMOS_KEY, "base64");
  const wanted = createHmac("sha256", key).update(signed).digest("base64");
  if (!same(parts[2], wanted)) {
    throw refusal("The MAC signature found in the HTTP request is not the same as computed.");
  }
}

function checkToken(token) {
  const [head, claims, mac] = token.split(".");
  const wanted = createHmac("sha256", process.env.ENTRA_SECRET)
    .update(`${head}.${claims}`)
    .digest("base64url");
  if (!same(mac || "", wanted)) throw refusal("The token's signature is invalid.");
  const { aud, exp } = JSON.parse(Buffer.from(claims, "base64url"));
  if (exp * 1000 <= now()) throw refusal("The token has expired.");
  if (!process.env.COSMOS_AUDIENCES.split(" ").includes(aud)) {
    throw refusal("The token's audience is another.");
  }
}

module.exports = { check };
