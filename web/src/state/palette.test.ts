import { expect, test } from "vitest";
import { ranked, score, type Offer } from "./palette";

const offer = (title: string, kind = "queue", words?: string): Offer => ({ id: title, title, kind, href: "#/", words });

test("what begins like it goes before what contains it", () => {
  const offers = [offer("reorders"), offer("shop.orders"), offer("orders.retry"), offer("orders"), offer("mail")];
  expect(ranked(offers, "orders", 9).map((one) => one.title)).toEqual(["orders", "orders.retry", "shop.orders", "reorders"]);
  expect(ranked(offers, "orders", 2)).toHaveLength(2);
});

test("an act is found by other words for it, in any order", () => {
  expect(score(offer("Publish to exchange", "act", "send message"), "message send")).toBe(2);
  expect(score(offer("Publish to exchange", "act"), "purge")).toBe(0);
});

test("other words count from their beginning: an order is no password", () => {
  expect(score(offer("Make a user", "act", "account password"), "ord")).toBe(0);
  expect(score(offer("Make a user", "act", "account password"), "pass")).toBe(2);
});
