import { expect, test } from "vitest";
import { Trends } from "./trends";

test("a trend goes on from what the broker kept", () => {
  const trends = new Trends();
  // The broker's clock is years behind.
  const samples = [5, 4, 3].map((sample, back) => ({ sample, timestamp: 1000 - back * 5000 }));
  trends.note([{ key: "q", value: 5, samples }], 1_000_000);
  expect(trends.of("q", 1_000_000)).toEqual([3, 4, 5]);
  trends.note([{ key: "q", value: 9 }], 1_005_000);
  expect(trends.of("q", 1_005_000)).toEqual([3, 4, 5, 9]);
});

test("what stands still is flat after a minute, and costs one moment", () => {
  const trends = new Trends();
  for (const [at, value] of [[0, 1], [5000, 7], [10_000, 7], [70_000, 7]] as const) trends.note([{ key: "q", value }], at);
  expect(trends.of("q", 70_000)).toEqual(Array.from({ length: 13 }, () => 7));
});

test("a row that left the list and comes back begins anew", () => {
  const trends = new Trends();
  trends.note([{ key: "q", value: 1 }], 0);
  trends.note([], 5000);
  trends.note([{ key: "q", value: 2 }], 10_000);
  expect(trends.of("q", 10_000)).toEqual([2]);
});
