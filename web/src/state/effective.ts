import type { Policy, Queue } from "../api/types";

/** Which key of a policy says the same as an argument. */
const policyKey = (argument: string) => argument.replace(/^x-/, "");

interface Effective {
  key: string;
  value: unknown;
  from: string;
  /** What a policy says that does not hold. */
  hidden?: unknown;
}

/** The policies that hold for a queue, as far as they may be seen. */
export interface Holding {
  policy: Policy | undefined;
  operator: Policy | undefined;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Which of the policies a value is from: where both say something, the one whose value holds. */
function source(key: string, value: unknown, queue: Pick<Queue, "policy" | "operator_policy">, { policy, operator }: Holding): string {
  const names = [queue.policy && `policy '${queue.policy}'`, queue.operator_policy && `operator policy '${queue.operator_policy}'`];
  const saying = [policy, operator].map((one) => one && key in one.definition && same(one.definition[key], value));
  const known = names.filter((name, at) => name && saying[at]);
  return (known.length > 0 ? known : names.filter(Boolean)).join(" and ") || "a policy";
}

/** What holds for a queue, and where each value comes from. */
export function effective(queue: Pick<Queue, "arguments" | "policy" | "operator_policy" | "effective_policy_definition">, holding: Holding): Effective[] {
  const rows = Object.entries(queue.arguments).map(([key, value]): Effective => ({ key, value, from: "its declaration" }));
  for (const [key, value] of Object.entries(queue.effective_policy_definition ?? {})) {
    const own = rows.find((row) => policyKey(row.key) === key);
    if (own) own.hidden = value;
    else rows.push({ key, value, from: source(key, value, queue, holding) });
  }
  return rows.sort((a, b) => a.key.localeCompare(b.key));
}
