import type { Binding, Exchange, Queue } from "../api/types";
import { deadLetterExchange } from "../state/dead-letters";
import { link } from "../state/route";
import { count, counted } from "../ui/format";
import type { GraphData, GraphEdge, GraphNode } from "../ui/graph";

/** Exchanges, bindings and queues as a drawing. */

type QueueFacts = Pick<Queue, "name" | "messages_ready" | "consumers" | "arguments" | "effective_policy_definition">;
type ExchangeFacts = Pick<Exchange, "name" | "type" | "arguments">;

const exchangeId = (name: string) => `e ${name}`;
const queueId = (name: string) => `q ${name}`;

const text = (item: unknown) => (typeof item === "string" ? item : undefined);

function queueNode(vhost: string, name: string, queue: QueueFacts | undefined): GraphNode {
  const ready = queue?.messages_ready ?? 0;
  const waits = ready > 0 && queue?.consumers === 0;
  const note = queue?.messages_ready === undefined ? "queue" : `${count(ready)} ready, ${counted(queue.consumers ?? 0, "consumer")}`;
  return { id: queueId(name), title: name, kind: "queue", note, href: link(["queues", vhost, name]), ...(waits ? { tone: "warn" as const } : {}) };
}

function exchangeNode(vhost: string, name: string, exchange: ExchangeFacts | undefined): GraphNode {
  return {
    id: exchangeId(name),
    title: name || "(AMQP default)",
    kind: "exchange",
    note: exchange?.type ?? "exchange",
    href: link(["exchanges", vhost, name || "amq.default"]),
  };
}

function bindingLabel(binding: Binding): string {
  const own = Object.keys(binding.arguments).length > 0 ? JSON.stringify(binding.arguments) : "";
  return binding.routing_key || own;
}

/** Bindings, with all that they name. The default exchange leads to every queue, and says nothing: it is left out. */
export function bindingGraph(vhost: string, bindings: Binding[], queues: QueueFacts[], exchanges: ExchangeFacts[] = []): GraphData {
  const nodes = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  const queueFacts = new Map(queues.map((queue) => [queue.name, queue]));
  const exchangeFacts = new Map(exchanges.map((exchange) => [exchange.name, exchange]));
  const addQueue = (name: string) => {
    if (!nodes.has(queueId(name))) nodes.set(queueId(name), queueNode(vhost, name, queueFacts.get(name)));
    return queueId(name);
  };
  const addExchange = (name: string) => {
    if (!nodes.has(exchangeId(name))) nodes.set(exchangeId(name), exchangeNode(vhost, name, exchangeFacts.get(name)));
    return exchangeId(name);
  };
  const joined = new Map<string, GraphEdge & { count: number }>();
  for (const binding of bindings) {
    if (binding.source === "") continue;
    const from = addExchange(binding.source);
    const to = binding.destination_type === "queue" ? addQueue(binding.destination) : addExchange(binding.destination);
    const known = joined.get(`${from}\n${to}`);
    if (known) {
      known.count += 1;
      known.label = `${known.count} bindings`;
    } else {
      joined.set(`${from}\n${to}`, { from, to, label: bindingLabel(binding), kind: "binding", count: 1 });
    }
  }
  edges.push(...[...joined.values()].map(({ count: _, ...edge }) => edge));
  for (const queue of queues) {
    const id = addQueue(queue.name);
    const dead = deadLetterExchange(queue);
    if (!dead) continue;
    // The default exchange leads straight to the queue of that name.
    const isDirect = dead.exchange === "" && dead.key !== undefined;
    const to = isDirect ? addQueue(dead.key ?? "") : addExchange(dead.exchange);
    edges.push({ from: id, to, label: "dead letters", kind: "death" });
  }
  for (const exchange of exchanges) {
    const other = text(exchange.arguments["alternate-exchange"]);
    if (other === undefined) continue;
    edges.push({ from: addExchange(exchange.name), to: addExchange(other), label: "unroutable", kind: "death" });
  }
  return { nodes: [...nodes.values()], edges };
}
