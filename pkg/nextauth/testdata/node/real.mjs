// Runs the real NextAuth 4 and Auth.js 5 code for real_test.go: one JSON array of calls on standard input, one of results
// on standard output, {"value": …} or {"error": "…"} each.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { text } from "node:stream/consumers";
import * as v5 from "@auth/core/jwt";

const require = createRequire(import.meta.url);
const v4 = require("next-auth/jwt");
const cookie = require("cookie");
// Not in the package's exports: the class that splits and joins the session cookie.
const { SessionStore } = require(fileURLToPath(new URL("node_modules/next-auth/core/lib/cookie.js", import.meta.url)));

const logger = { debug() {}, error() {}, warn() {} };

const calls = {
  encodeV4: ({ token, secret, maxAge }) => v4.encode({ token, secret, maxAge }),
  decodeV4: ({ token, secret }) => v4.decode({ token, secret }),
  encodeV5: ({ token, secret, salt, maxAge }) => v5.encode({ token, secret, salt, maxAge }),
  decodeV5: ({ token, secret, salt }) => v5.decode({ token, secret, salt }),
  // The Cookie header of a browser that was given this session.
  cookieHeader: ({ name, token }) => {
    const store = new SessionStore({ name, options: {} }, { cookies: {}, headers: {} }, logger);
    return store.chunk(token, {}).map((c) => cookie.serialize(c.name, c.value)).join("; ");
  },
  // The token that NextAuth itself reads from a Cookie header.
  readCookie: ({ name, header }) =>
    new SessionStore({ name, options: {} }, { cookies: cookie.parse(header), headers: {} }, logger).value,
};

const results = [];
for (const { call, ...args } of JSON.parse(await text(process.stdin))) {
  try {
    results.push({ value: await calls[call](args) });
  } catch (e) {
    results.push({ error: String(e.code ?? e.message) });
  }
}
process.stdout.write(JSON.stringify(results));
