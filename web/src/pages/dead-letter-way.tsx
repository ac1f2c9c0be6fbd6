import type { Binding, Queue } from "../api/types";
import { deadLetterExchange } from "../state/dead-letters";
import { usePoll } from "../state/poll";
import { path } from "../state/route";
import { Name } from "../ui/basics";
import { exchangeLink } from "./bindings";
import { queueLink } from "./queues";

const SHOWN = 5;

/** Where the dead letters of a queue are to be found. */
export function DeadLetterWay({ queue }: { queue: Queue }) {
  const dead = deadLetterExchange(queue);
  const exchange = dead?.exchange;
  const bindings = usePoll<Binding[]>(exchange ? `/api/exchanges${path(queue.vhost, exchange)}/bindings/source` : null, `dead ${exchange}`, { once: true });
  if (!dead) return null;
  const names = exchange === "" ? [dead.key ?? queue.name] : (bindings.data ?? []).filter((one) => one.destination_type === "queue").map((one) => one.destination);
  const queues = [...new Set(names)];
  return (
    <p class="faint">
      Dead letters of this queue go{" "}
      {exchange !== "" && (
        <>
          to exchange <a href={exchangeLink(queue.vhost, exchange ?? "")}><Name of={exchange ?? ""} /></a>
          {queues.length > 0 && " and from there "}
        </>
      )}
      {queues.slice(0, SHOWN).map((name, at) => (
        <span key={name}>
          {at > 0 && ", "}to queue <a href={queueLink({ vhost: queue.vhost, name }, "messages")}><Name of={name} /></a>
        </span>
      ))}
      {queues.length > SHOWN && ` and to ${queues.length - SHOWN} more`}.
    </p>
  );
}
