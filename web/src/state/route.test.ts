import { expect, test } from "vitest";
import { link, parseHash } from "./route";

test("RabbitMQ's addresses are understood", () => {
  expect(parseHash("#/queues/%2F/my%20queue").parts).toEqual(["queues", "/", "my queue"]);
  expect(parseHash("#/").parts).toEqual([]);
  expect(parseHash("").parts).toEqual([]);
  expect(parseHash("#/connections/127.0.0.1%3A1%20-%3E%20127.0.0.1%3A2").parts[1]).toBe("127.0.0.1:1 -> 127.0.0.1:2");
});

test("every name comes back as it went in", () => {
  for (const name of ["a/b", "?x=1&y", "#", "%zz", "ä 👋 \u202e", "a\nb", " "]) {
    expect(parseHash(link(["queues", "/", name], { tab: "messages" })).parts).toEqual(["queues", "/", name]);
  }
});

test("a wrong escape is taken as it stands", () => {
  expect(parseHash("#/queues/%zz").parts).toEqual(["queues", "%zz"]);
});

test("what is not set is not written", () => {
  expect(link(["queues"], { name: "", page: undefined, use_regex: false, sort: "name" })).toBe("#/queues?sort=name");
});
