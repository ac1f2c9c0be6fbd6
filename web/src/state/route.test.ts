import { afterEach, expect, test, vi } from "vitest";
import { adjust, link, parseHash, place } from "./route";

afterEach(() => vi.unstubAllGlobals());

/** Puts an address there, as a browser does before it tells of it. */
function address(hash: string): { hash: string } {
  const location = { hash };
  vi.stubGlobal("location", location);
  vi.stubGlobal("history", { replaceState: (_: unknown, __: string, url: string) => (location.hash = url) });
  return location;
}

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

test("what a page wants of its address leaves the rest as it is", () => {
  const location = address("#/queues?sort=name");
  place.set(parseHash(location.hash));
  adjust({ new: true });
  expect(location.hash).toBe("#/queues?sort=name&new=true");
  adjust({ new: false });
  expect(location.hash).toBe("#/queues?sort=name");
  expect(place.get().query.get("new")).toBe(null);
});

test("a page that was left before its window said that it is closed does not come back", () => {
  const location = address("#/exchanges?new=true");
  place.set(parseHash(location.hash));
  location.hash = "#/policies";
  adjust({ new: false });
  expect(location.hash).toBe("#/policies");
});

test("what else came into the address of the same page meanwhile stays", () => {
  const location = address("#/queues");
  place.set(parseHash(location.hash));
  location.hash = "#/queues?page=2";
  adjust({ new: true });
  expect(location.hash).toBe("#/queues?page=2&new=true");
});
