import { expect, test } from "vitest";
import type { Policy } from "../api/types";
import { effective } from "./effective";

const policy = (name: string, definition: Record<string, unknown>): Policy => ({ name, vhost: "/", pattern: ".*", "apply-to": "queues", priority: 0, definition });

const queue = {
  arguments: { "x-queue-type": "classic", "x-message-ttl": 1000 },
  policy: "limits",
  operator_policy: "at-most",
  effective_policy_definition: { "max-length": 10, "max-length-bytes": 500, expires: 7, "message-ttl": 5000 },
};

test("each value is from what says it, and of two limits from the one that holds", () => {
  const holding = { policy: policy("limits", { "max-length": 100, expires: 7 }), operator: policy("at-most", { "max-length": 10, "max-length-bytes": 500, expires: 7 }) };
  const rows = effective(queue, holding).map(({ key, from, hidden }) => [key, from, hidden]);
  expect(rows).toEqual([
    ["expires", "policy 'limits' and operator policy 'at-most'", undefined],
    ["max-length", "operator policy 'at-most'", undefined],
    ["max-length-bytes", "operator policy 'at-most'", undefined],
    ["x-message-ttl", "its declaration", 5000],
    ["x-queue-type", "its declaration", undefined],
  ]);
});

test("who may not see the policies is told their names", () => {
  const [expires] = effective(queue, { policy: undefined, operator: undefined });
  expect(expires?.from).toBe("policy 'limits' and operator policy 'at-most'");
});
