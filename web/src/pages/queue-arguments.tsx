import type { Policy, Queue } from "../api/types";
import { effective } from "../state/effective";
import { usePoll } from "../state/poll";
import { link, path } from "../state/route";
import { Facts, Name, Section } from "../ui/basics";
import { bytes, count, value, visible } from "../ui/format";

const ONCE = { once: true };

export function QueueArguments({ queue }: { queue: Queue }) {
  const policies = usePoll<Policy[]>(queue.policy ? `/api/policies${path(queue.vhost)}` : null, "policies of queue", ONCE);
  const operators = usePoll<Policy[]>(queue.operator_policy ? `/api/operator-policies${path(queue.vhost)}` : null, "operators of queue", ONCE);
  const holding = {
    policy: policies.data?.find((one) => one.name === queue.policy),
    operator: operators.data?.find((one) => one.name === queue.operator_policy),
  };
  const rows = effective(queue, holding);
  const policy = (name: string | null | undefined, href: string) =>
    name ? (
      <a href={href}>
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
            <table aria-label="What holds for this queue">
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
            ["Policy", policy(queue.policy, link(["policies", queue.vhost, queue.policy ?? ""]))],
            ["Operator policy", policy(queue.operator_policy, link(["policies"]))],
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
