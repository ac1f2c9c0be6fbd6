import { useMemo, useState } from "preact/hooks";
import type { Binding, Exchange, Page, Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { path, queryText } from "../state/route";
import { useStore } from "../state/store";
import { Empty, Failure, Head, Loading, Note } from "../ui/basics";
import { Check } from "../ui/fields";
import { counted } from "../ui/format";
import { Graph, type GraphData } from "../ui/graph";
import type { PageProps } from "./routes";
import { bindingGraph } from "./topology-graph";
import { VhostChoice } from "./vhost-choice";

/** More than these cannot be read in one drawing: one filters then. */
const QUEUES_MAX = 500;
const LOOK_AGAIN = { atLeastMs: 30_000 };

/** Keeps what has a text in its name, and everything that leads to it or comes from it. */
export function around(graph: GraphData, text: string): GraphData {
  if (text === "") return graph;
  const wanted = text.toLowerCase();
  const kept = new Set(graph.nodes.filter((node) => node.title.toLowerCase().includes(wanted)).map((node) => node.id));
  const walk = (from: "from" | "to", to: "from" | "to") => {
    const found = new Set(kept);
    const waiting = [...found];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      for (const edge of graph.edges) {
        if (edge[from] !== id || found.has(edge[to])) continue;
        found.add(edge[to]);
        waiting.push(edge[to]);
      }
    }
    return found;
  };
  const all = new Set([...walk("from", "to"), ...walk("to", "from")]);
  return { nodes: graph.nodes.filter((node) => all.has(node.id)), edges: graph.edges.filter((edge) => all.has(edge.from) && all.has(edge.to)) };
}

export function TopologyPage(_: PageProps) {
  const filter = useStore(vhostFilter);
  const [vhost, setVhost] = useState(filter || "/");
  const [wanted, setWanted] = useState("");
  const [isAll, setAll] = useState(false);
  const query = queryText({ page: 1, page_size: QUEUES_MAX, columns: "name,messages_ready,consumers,arguments,effective_policy_definition" });
  const queues = usePoll<Page<Queue>>(`/api/queues${path(vhost)}${query}`, `t-queues ${vhost}`, LOOK_AGAIN);
  const exchanges = usePoll<Exchange[]>(`/api/exchanges${path(vhost)}?columns=name,type,arguments&disable_stats=true`, `t-exchanges ${vhost}`, LOOK_AGAIN);
  const bindings = usePoll<Binding[]>(`/api/bindings${path(vhost)}`, `t-bindings ${vhost}`, LOOK_AGAIN);
  const error = queues.error ?? exchanges.error ?? bindings.error;
  const graph = useMemo(() => {
    if (!queues.data || !exchanges.data || !bindings.data) return undefined;
    const known = new Set(queues.data.items.map((queue) => queue.name));
    const shown = bindings.data.filter((binding) => binding.destination_type === "exchange" || known.has(binding.destination));
    const whole = bindingGraph(vhost, shown, queues.data.items, exchanges.data);
    const tied = new Set(whole.edges.flatMap((edge) => [edge.from, edge.to]));
    const chosen = isAll ? whole : { ...whole, nodes: whole.nodes.filter((node) => tied.has(node.id)) };
    return around(chosen, wanted);
  }, [queues.data, exchanges.data, bindings.data, wanted, isAll]);
  const left = (queues.data?.filtered_count ?? 0) - (queues.data?.items.length ?? 0);
  return (
    <>
      <Head title="Topology" about="What leads where: exchanges are round, queues are square, the broken lines are the ways of dead letters and of what no binding matches. Where messages wait for no consumer, the queue is coloured." />
      <div class="filter">
        <VhostChoice value={vhost} onChange={setVhost} />
        <input type="search" aria-label="Show what is around a name" placeholder="Show what is around a name" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <Check label="Also queues that nothing is bound to" value={isAll} onChange={setAll} />
        <span class="faint" role="status">
          {graph && `${counted(graph.nodes.length, "exchange or queue", "exchanges and queues")}, ${counted(graph.edges.length, "line")}`}
        </span>
      </div>
      {error && !error.isUnreachable && <Failure error={error} what="Cannot draw the topology" />}
      {!graph && !error && <Loading />}
      {left > 0 && <Note>Only the first {QUEUES_MAX} queues are drawn; {counted(left, "is", "are")} left out.</Note>}
      {graph && graph.nodes.length === 0 && <Empty>{wanted ? "Nothing has this name." : "Nothing is bound here."}</Empty>}
      {graph && graph.nodes.length > 0 && <Graph label={`Topology of ${vhost}`} graph={graph} />}
    </>
  );
}
