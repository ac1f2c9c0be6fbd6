import type { Queue } from "../api/types";
import { link } from "../state/route";
import { Facts, Name, Section } from "../ui/basics";
import { bytes, count, value, visible } from "../ui/format";

/** Which key of a policy says the same as an argument. */
export const policyKey = (argument: string) => argument.replace(/^x-/, "");

interface Effective {
  key: string;
  value: unknown;
  from: string;
  /** What it would be without what overrides it. */
  hidden?: unknown;
}

/** What holds for a queue, and where each value comes from. */
export function effective(queue: Pick<Queue, "arguments" | "policy" | "operator_policy" | "effective_policy_definition">): Effective[] {
  const rows = Object.entries(queue.arguments).map(([key, value]): Effective => ({ key, value, from: "its declaration" }));
  const policies = [queue.policy && `policy '${queue.policy}'`, queue.operator_policy && `operator policy '${queue.operator_policy}'`];
  const from = policies.filter(Boolean).join(" and ") || "a policy";
  for (const [key, value] of Object.entries(queue.effective_policy_definition ?? {})) {
    const own = rows.find((row) => policyKey(row.key) === key);
    if (own) own.hidden = value;
    else rows.push({ key, value, from });
  }
  return rows.sort((a, b) => a.key.localeCompare(b.key));
}

export function QueueArguments({ queue }: { queue: Queue }) {
  const rows = effective(queue);
  const policy = (name: string | null | undefined) =>
    name ? (
      <a href={link(["policies", queue.vhost, name])}>
        <Name of={name} />
      </a>
    ) : (
      <span class="faint">none</span>
    );
  return (
    <div class="columns">
      <Section title="What holds, and where it comes from">
        {rows.length === 0 && <p class="empty">No argument and no policy: everything is as it is by default.</p>}
        {rows.length > 0 && (
          <div class="table-room" tabIndex={0} role="region" aria-label="Arguments">
            <table>
              <thead>
                <tr>
                  <th scope="col">Key</th>
                  <th scope="col">Value</th>
                  <th scope="col">From</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={row.key}>
                    <td class="mono">
                      <Name of={row.key} />
                    </td>
                    <td>
                      <bdi>{visible(value(row.value))}</bdi>
                    </td>
                    <td>
                      <bdi>{visible(row.from)}</bdi>
                      {row.hidden !== undefined && <span class="faint"> (a policy says {value(row.hidden)}; the stricter one holds for limits)</span>}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Section>
      <Section title="Facts">
        <Facts
          of={[
            ["Type", queue.type],
            ["Durable", queue.durable ? "yes, survives a restart" : "no"],
            ["Deleted with its last consumer", queue.auto_delete ? "yes" : "no"],
            ["Exclusive", queue.exclusive ? "yes, of one connection" : "no"],
            ["Policy", policy(queue.policy)],
            ["Operator policy", policy(queue.operator_policy)],
            ["Size of ready messages", bytes(queue.message_bytes_ready)],
            ["Messages in memory", count(queue.messages_ram)],
            ["Memory for its entries", bytes(queue.memory)],
            ...(queue.delivery_limit !== undefined ? ([["Delivery limit", queue.delivery_limit < 0 ? "none" : count(queue.delivery_limit)]] as [string, string][]) : []),
          ]}
        />
      </Section>
    </div>
  );
}
