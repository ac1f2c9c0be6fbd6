import { expect, test } from "vitest";
import { distance, nearly } from "./names";

const names = ["orders", "orders.retry", "payments", "Orders"];

test("a misspelt pattern finds what was meant", () => {
  expect(nearly(names, "^ordres")).toEqual(["orders", "orders.retry", "Orders"]);
  expect(nearly(names, ".*")).toEqual([]);
  expect(distance("abc", "abc", 2)).toBe(0);
  expect(distance("abc", "acb", 2)).toBe(2);
  expect(distance("abc", "xyz123", 2)).toBe(3);
});
