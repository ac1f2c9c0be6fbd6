import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Binding, Exchange, Page, Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { path } from "../state/route";
import { Failure, Loading } from "../ui/basics";
import { Area, Text, readObject } from "../ui/fields";
import { FormBox } from "../ui/form";
import { tell } from "../ui/toast";
import { BindingTable } from "./bindings";
import { Graph } from "../ui/graph";
import { bindingGraph } from "./topology-graph";

export function QueueBindings({ queue }: { queue: Queue }) {
  const polled = usePoll<Binding[]>(`/api/queues${path(queue.vhost, queue.name)}/bindings`);
  const bindings = polled.data;
  return (
    <div class="stack">
      <Failure error={polled.error} what="Cannot show the bindings" />
      {!bindings && !polled.error && <Loading />}
      {bindings && bindings.length > 1 && bindings.length <= 40 && <Graph label={`What leads to ${queue.name}`} graph={bindingGraph(queue.vhost, bindings, [queue])} isSmall />}
      {bindings && <BindingTable bindings={bindings} show="source" refresh={polled.refresh} />}
      <NewBinding vhost={queue.vhost} destination={queue.name} kind="q" after={polled.refresh} />
    </div>
  );
}

interface NewBindingProps {
  vhost: string;
  /** The end that is given: the destination, or the source. */
  destination?: string;
  source?: string;
  kind: "q" | "e";
  after: () => void;
}

/** Binds a queue or an exchange to an exchange. */
export function NewBinding({ vhost, destination, source, kind, after }: NewBindingProps) {
  const [from, setFrom] = useState(source ?? "");
  const [to, setTo] = useState(destination ?? "");
  const [key, setKey] = useState("");
  const [given, setGiven] = useState("");
  const list = source === undefined ? "exchanges" : kind === "q" ? "queues" : "exchanges";
  const known = usePoll<Page<Exchange>>(`/api/${list}${path(vhost)}?page=1&page_size=500&columns=name&disable_stats=true`, `names ${list} ${vhost}`, { once: true });
  const names = (known.data?.items ?? []).map((one) => one.name).filter(Boolean);
  const listId = `known-${list}-${kind}`;
  const run = async () => {
    await post(`/api/bindings${path(vhost)}/e${path(from)}/${kind}${path(to)}`, { routing_key: key, arguments: readObject(given) });
    tell(`'${to}' is bound to '${from}'.`);
    setKey("");
    setGiven("");
    after();
  };
  return (
    <FormBox summary={source === undefined ? "Add a binding to this queue" : kind === "q" ? "Bind a queue to this exchange" : "Bind an exchange to this one"} act="Bind" failed="Not bound" run={run}>
      <datalist id={listId}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <div class="grid-2">
        {source === undefined && <Text label="From exchange" value={from} onChange={setFrom} isRequired list={listId} />}
        {source !== undefined && <Text label={kind === "q" ? "To queue" : "To exchange"} value={to} onChange={setTo} isRequired list={listId} />}
        <Text label="Routing key" value={key} onChange={setKey} />
      </div>
      <Area label="Arguments, as a JSON object" value={given} onChange={setGiven} rows={2} placeholder='{"x-match": "all", "kind": "report"}' />
    </FormBox>
  );
}
