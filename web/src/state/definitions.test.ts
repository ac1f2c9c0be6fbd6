import { expect, test } from "vitest";
import { compare } from "./definitions";

const there = {
  queues: [{ vhost: "/", name: "orders", durable: true, auto_delete: false, arguments: { "x-max-length": 5, a: 1 } }],
  users: [{ name: "anna", tags: ["management"], password_hash: "x" }],
};

test("what is new, what is there and what differs is told by section", () => {
  const file = {
    queues: [
      { vhost: "/", name: "orders", durable: true, auto_delete: false, arguments: { a: 1, "x-max-length": 9 } },
      { vhost: "/", name: "mail", durable: true, auto_delete: false, arguments: {} },
    ],
    users: [{ name: "anna", tags: ["management"], password_hash: "another" }],
    bindings: [],
  };
  expect(compare(file, there, "")).toEqual([
    { section: "users", isNew: 0, isThere: 1, differs: [] },
    { section: "queues", isNew: 1, isThere: 1, differs: [{ name: "orders", keys: ["arguments"] }] },
  ]);
});

test("things of one virtual host need not name it, and odd files bring nothing", () => {
  expect(compare({ queues: [{ name: "orders", arguments: { a: 1, "x-max-length": 5 } }] }, there, "/")[0]).toEqual({ section: "queues", isNew: 0, isThere: 1, differs: [] });
  expect(compare({ queues: "no", users: [1, null] }, there, "")).toEqual([]);
});
