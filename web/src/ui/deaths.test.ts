import { expect, test } from "vitest";
import { deathsOf, moral, sentence } from "./deaths";

const header = [
  { count: 57, reason: "rejected", queue: "orders", exchange: "shop", "routing-keys": ["order.new"], time: 1_760_000_000 },
  { count: 56, reason: "expired", queue: "wait", exchange: "", "routing-keys": ["wait"], time: 1_760_000_001 },
];

test("the header x-death is a story", () => {
  const deaths = deathsOf({ properties: { headers: { "x-death": header } } });
  expect(deaths[0]).toEqual({ queue: "orders", reason: "rejected", exchange: "shop", routing_keys: ["order.new"], count: 57, at: 1_760_000_000_000 });
  expect(sentence(deaths[0]!)).toBe("In queue 'orders' it was rejected by a consumer, 57 times. It had come there through exchange 'shop' with routing key 'order.new'.");
  expect(sentence(deaths[1]!)).toContain("It had come there straight with routing key 'wait'.");
  expect(moral(deaths)).toContain("goes round and round: it died 57 times in 'orders', on a way through 'orders' and 'wait'");
});

test("a message that died once is no loop, and a header of another shape no story", () => {
  expect(moral(deathsOf({ properties: { headers: { "x-death": [{ ...header[0], count: 1 }] } } }))).toBeUndefined();
  for (const odd of ["text", 1, null, {}, [1, "a", null]]) {
    expect(deathsOf({ properties: { headers: { "x-death": odd } } })).toEqual([]);
  }
  expect(deathsOf({ properties: [] })).toEqual([]);
});
