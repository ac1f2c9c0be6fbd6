import { expect, test } from "vitest";
import { aligned, fromFirst, lengths, rates, since } from "./samples";

const details = { rate: 0, samples: [{ sample: 30, timestamp: 10_000 }, { sample: 10, timestamp: 5_000 }, { sample: 10, timestamp: 0 }] };

test("samples come with the latest first, and are drawn with the oldest first", () => {
  expect(lengths(details)).toEqual({ times: [0, 5_000, 10_000], values: [10, 10, 30] });
  expect(rates(details)).toEqual({ times: [5_000, 10_000], values: [0, 4] });
  expect(lengths(undefined)).toEqual({ times: [], values: [] });
});

test("a counter that begins anew is no negative rate", () => {
  expect(rates({ rate: 0, samples: [{ sample: 0, timestamp: 5_000 }, { sample: 100, timestamp: 0 }] }).values).toEqual([0]);
});

test("series of different times have gaps", () => {
  expect(aligned([{ times: [1, 2], values: [5, 6] }, { times: [2, 3], values: [7, 8] }])).toEqual({ times: [1, 2, 3], values: [[5, 6, null], [null, 7, 8]] });
});

test("what was before the start is left out", () => {
  const all = { times: [1, 2, 3], values: [[4, 5, 6]] };
  expect(since(all, 2)).toEqual({ times: [2, 3], values: [[5, 6]] });
  expect(since(all, 0)).toEqual(all);
  expect(since(all, -Infinity)).toEqual(all);
});

test("what was before the first message is left out, and silence alone is shown", () => {
  expect(fromFirst({ times: [1, 2, 3, 4], values: [[0, 0, 0, 5], [0, 0, null, 1]] })).toEqual({ times: [3, 4], values: [[0, 5], [null, 1]] });
  const silent = { times: [1, 2], values: [[0, 0]] };
  expect(fromFirst(silent)).toEqual(silent);
});
