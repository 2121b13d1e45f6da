import { mongo } from "mongoose";
import { expect, it } from "vitest";
import { isUnreachable, StoreError } from "./errors.ts";

it.each([
  ["a connection that broke", new mongo.MongoNetworkError("gone"), true],
  [
    "a socket that the server has closed",
    Object.assign(new Error("This socket has been ended by the other party"), { code: "EPIPE" }),
    true,
  ],
  ["a socket that was reset", Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }), true],
  ["a store that could not be opened", new StoreError("unreachable", "no answer"), true],
  ["a database that does not fit", new StoreError("unfit", "too new"), false],
  ["a primary that has just stepped down", new mongo.MongoServerError({ code: 13_435 }), true],
  ["a server that is shutting down", new mongo.MongoServerError({ code: 91 }), true],
  ["a value that is there already", new mongo.MongoServerError({ code: 11_000 }), false],
  ["a mistake of ours", new TypeError("x is not a function"), false],
])("%s: %o", (_, error, away) => {
  expect(isUnreachable(error)).toBe(away);
});
