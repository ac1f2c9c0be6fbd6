import type { Queue } from "../api/types";

const text = (item: unknown) => (typeof item === "string" ? item : undefined);

/** Where dead letters of a queue go: what it was declared with, else what a policy says. */
export function deadLetterExchange(queue: Pick<Queue, "arguments" | "effective_policy_definition">): { exchange: string; key: string | undefined } | undefined {
  const given = queue.arguments ?? {};
  const policy = queue.effective_policy_definition ?? {};
  const exchange = text(given["x-dead-letter-exchange"]) ?? text(policy["dead-letter-exchange"]);
  if (exchange === undefined) return undefined;
  return { exchange, key: text(given["x-dead-letter-routing-key"]) ?? text(policy["dead-letter-routing-key"]) };
}
