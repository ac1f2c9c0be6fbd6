import { useEffect, useState } from "preact/hooks";
import { ApiError, post } from "../api/client";
import type { RouteBinding, Routes } from "../api/leveret";
import type { Exchange } from "../api/types";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { adjust, path, place } from "../state/route";
import { useStore } from "../state/store";
import { Arguments, Badge, Failure, Head, Name, Note, Section } from "../ui/basics";
import { Area, Text, readObject } from "../ui/fields";
import { counted, visible } from "../ui/format";
import { Graph, type GraphData } from "../ui/graph";
import { Table, type Column } from "../ui/table";
import { Unserved } from "../ui/unserved";
import { exchangeLink } from "./bindings";
import { queueLink } from "./queues";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

/** Asks where a message would go, and why not elsewhere. Nothing is published. */
export function WherePage(_: PageProps) {
  const { query } = useStore(place);
  const filter = useStore(vhostFilter);
  const [vhost, setVhost] = useState(query.get("vhost") ?? (filter || "/"));
  const [exchange, setExchange] = useState(query.get("exchange") ?? "");
  const [key, setKey] = useState(query.get("key") ?? "");
  const [headers, setHeaders] = useState(query.get("headers") ?? "");
  const [answer, setAnswer] = useState<Routes>();
  const [error, setError] = useState<unknown>();
  const exchanges = usePoll<Exchange[]>(`/api/exchanges${path(vhost)}?columns=name&disable_stats=true`, `exchanges ${vhost}`, { once: true });

  const askIt = async () => {
    setError(undefined);
    adjust({ vhost, exchange, key, headers });
    try {
      const given = readObject(headers);
      setAnswer(await post<Routes>(`/api/leveret/routes${path(vhost)}`, { exchange: exchange === "amq.default" ? "" : exchange, routing_key: key, headers: given }));
    } catch (failure) {
      setAnswer(undefined);
      setError(failure);
    }
  };
  useEffect(() => {
    if (query.has("exchange")) void askIt();
  }, []);

  return (
    <>
      <Head title="Where would this go?" about="Says which queues a message would reach, through which bindings, and why not through the others. Nothing is published." />
      <form class="stack form-box" onSubmit={(event) => (event.preventDefault(), void askIt())}>
        <datalist id="where-exchanges">
          {(exchanges.data ?? []).slice(0, 500).map((one) => (
            <option key={one.name} value={one.name || "amq.default"} />
          ))}
        </datalist>
        <div class="grid-2">
          <VhostChoice value={vhost} onChange={setVhost} />
          <Text label="Exchange" value={exchange} onChange={setExchange} list="where-exchanges" placeholder="amq.default" />
          <Text label="Routing key" value={key} onChange={setKey} />
        </div>
        <details>
          <summary>Headers</summary>
          <Area label="As a JSON object" value={headers} onChange={setHeaders} rows={3} placeholder='{"kind": "report"}' />
        </details>
        <div>
          <button type="submit" class="primary">
            Where would it go?
          </button>
        </div>
      </form>
      {error instanceof ApiError && error.isAbsent && exchanges.data ? (
        exchanges.data.some((one) => one.name === (exchange === "amq.default" ? "" : exchange)) ? (
          <Unserved error={error} what="Where would this go?" />
        ) : (
          <Note tone="warn">There is no such exchange in virtual host '{visible(vhost)}'.</Note>
        )
      ) : (
        <Failure error={error} what="Cannot say" />
      )}
      {answer && <Answer answer={answer} vhost={vhost} />}
    </>
  );
}

/** The way of the message: what it passes, and a few of those that it passes by. */
export function routeGraph(answer: Routes, vhost: string): GraphData {
  const nodes = new Map<string, GraphData["nodes"][number]>();
  const edges: GraphData["edges"] = [];
  const passed = new Map(answer.exchanges.map((one) => [one.name, one]));
  const exchange = (name: string) => {
    const id = `e ${name}`;
    if (!nodes.has(id)) {
      nodes.set(id, { id, title: name || "(AMQP default)", kind: "exchange", note: passed.get(name)?.type ?? "exchange", href: exchangeLink(vhost, name), ...(passed.has(name) ? { tone: "lit" as const } : {}) });
    }
    return id;
  };
  const reached = new Set(answer.queues.map((queue) => queue.name));
  const queue = (name: string) => {
    const id = `q ${name}`;
    if (!nodes.has(id)) nodes.set(id, { id, title: name, kind: "queue", note: "queue", href: queueLink({ vhost, name }), ...(reached.has(name) ? { tone: "lit" as const } : {}) });
    return id;
  };
  for (const one of answer.exchanges) exchange(one.name);
  const drawn = new Set<string>();
  const add = (binding: RouteBinding, isLit: boolean) => {
    const id = `${binding.source}\n${binding.destination_type}\n${binding.destination}\n${binding.properties_key}`;
    if (drawn.has(id)) return;
    drawn.add(id);
    const to = binding.destination_type === "queue" ? queue(binding.destination) : exchange(binding.destination);
    edges.push({ from: exchange(binding.source), to, label: binding.routing_key || (Object.keys(binding.arguments).length ? JSON.stringify(binding.arguments) : ""), kind: isLit ? "lit" : "off" });
  };
  for (const one of answer.queues) for (const binding of one.through) add(binding, true);
  for (const binding of answer.bindings.filter((one) => one.matches)) add(binding, true);
  for (const binding of answer.bindings.filter((one) => !one.matches).slice(0, 12)) add(binding, false);
  for (const one of answer.queues) {
    const id = queue(one.name);
    if (!edges.some((edge) => edge.to === id)) edges.push({ from: exchange(answer.exchange), to: id, kind: "lit" });
  }
  return { nodes: [...nodes.values()], edges };
}

function Answer({ answer, vhost }: { answer: Routes; vhost: string }) {
  const columns: Column<RouteBinding>[] = [
    { id: "matches", title: "Matches", cell: (binding) => (binding.matches ? <Badge tone="good">yes</Badge> : <Badge>no</Badge>) },
    { id: "why", title: "Why", cell: (binding) => <bdi>{visible(binding.why ?? "")}</bdi> },
    { id: "from", title: "From", cell: (binding) => <Name of={binding.source} empty="(AMQP default)" /> },
    { id: "to", title: "To", cell: (binding) => <><span class="faint">{binding.destination_type}</span> <Name of={binding.destination} /></> },
    { id: "key", title: "Routing key", cell: (binding) => <Name of={binding.routing_key} empty="(empty)" /> },
    { id: "arguments", title: "Arguments", cell: (binding) => <Arguments of={binding.arguments} none="" /> },
  ];
  const notes = answer.exchanges.filter((one) => one.note);
  return (
    <>
      <div class={`verdict ${answer.unroutable ? "warn" : "good"} answer`} role="status">
        <div class="verdict-line">
          <p class="verdict-sentence">{answer.unroutable ? "It reaches no queue: the message would be lost, or returned if it is mandatory." : `It reaches ${counted(answer.queues.length, "queue")}.`}</p>
        </div>
        {answer.queues.length > 0 && (
          <ul class="plain-list reached">
            {answer.queues.slice(0, 50).map((queue) => (
              <li key={queue.name}>
                <a href={queueLink({ vhost, name: queue.name })} class="main-link">
                  <Name of={queue.name} />
                </a>
              </li>
            ))}
          </ul>
        )}
      </div>
      {notes.map((one) => (
        <Note key={one.name} tone="warn">
          Exchange '{visible(one.name || "(AMQP default)")}': {visible(one.note ?? "")}
        </Note>
      ))}
      {(answer.bindings.length > 0 || answer.queues.length > 0) && <Graph label="The way of the message" graph={routeGraph(answer, vhost)} isSmall />}
      {answer.bindings.length > 0 && (
        <Section title="Bindings">
          <Table label="Bindings that were looked at" columns={columns} rows={answer.bindings} rowKey={(one) => `${one.source}\n${one.destination_type}\n${one.destination}\n${one.properties_key}`} />
          {answer.bindings_left_out > 0 && <p class="faint">And {counted(answer.bindings_left_out, "binding")} that do not match.</p>}
        </Section>
      )}
    </>
  );
}
