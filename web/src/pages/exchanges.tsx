import { useState } from "preact/hooks";
import { put } from "../api/client";
import { rateOf, totalOf, type Exchange } from "../api/types";
import { listActs, useList } from "../state/list";
import { vhostFilter } from "../state/preferences";
import { path, useFlag } from "../state/route";
import { useStore } from "../state/store";
import { Badge, Head, Name } from "../ui/basics";
import { Area, Check, Choice, Text, readObject } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { count, rate } from "../ui/format";
import { Filter, Listed } from "../ui/list";
import { ColumnChooser, keysOf, Table, useColumns, type Column } from "../ui/table";
import { tell } from "../ui/toast";
import { exchangeLink } from "./bindings";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

export function ExchangeFeatures({ of }: { of: Exchange }) {
  const alternate = of.arguments["alternate-exchange"];
  return (
    <span class="marks">
      {!of.durable && <Badge title="gone with a restart">transient</Badge>}
      {of.auto_delete && <Badge title="deleted with its last binding">auto-delete</Badge>}
      {of.internal && <Badge title="programs cannot publish to it">internal</Badge>}
      {alternate !== undefined && <Badge title={`what reaches no queue goes to exchange '${String(alternate)}'`}>alternate</Badge>}
      {of.policy && <Badge title={`policy '${of.policy}' applies`}>policy</Badge>}
    </span>
  );
}

const COLUMNS: Column<Exchange>[] = [
  {
    id: "name",
    title: "Name",
    sort: "name",
    cell: (exchange) => (
      <a href={exchangeLink(exchange.vhost, exchange.name)} class="main-link">
        <Name of={exchange.name} empty="(AMQP default)" />
      </a>
    ),
  },
  { id: "vhost", title: "Virtual host", sort: "vhost", cell: (exchange) => <Name of={exchange.vhost} /> },
  { id: "type", title: "Type", sort: "type", cell: (exchange) => <Name of={exchange.type} /> },
  { id: "features", title: "Features", keys: ["durable", "auto_delete", "internal", "arguments", "policy"], cell: (exchange) => <ExchangeFeatures of={exchange} /> },
  { id: "in", title: "In /s", about: "In, messages a second", sort: "message_stats.publish_in_details.rate", isNumber: true, cell: (exchange) => rate(rateOf(exchange.message_stats, "publish_in")) },
  { id: "out", title: "Out /s", about: "Out, messages a second", sort: "message_stats.publish_out_details.rate", isNumber: true, cell: (exchange) => rate(rateOf(exchange.message_stats, "publish_out")) },
  { id: "total-in", title: "In", about: "In since the start, messages", sort: "message_stats.publish_in", isNumber: true, isExtra: true, cell: (exchange) => count(totalOf(exchange.message_stats, "publish_in")) },
  { id: "total-out", title: "Out", about: "Out since the start, messages", sort: "message_stats.publish_out", isNumber: true, isExtra: true, cell: (exchange) => count(totalOf(exchange.message_stats, "publish_out")) },
];

export function ExchangesPage(_: PageProps) {
  const filter = useStore(vhostFilter);
  const all = filter ? COLUMNS.filter((column) => column.id !== "vhost") : COLUMNS;
  const columns = useColumns("exchanges", all);
  const { state, polled, vhost } = useList<Exchange>("exchanges", { columns: ["name", "vhost", ...keysOf(columns)] });
  const [isNew, setNew] = useFlag("new");
  return (
    <>
      <Head title="Exchanges">
        <button type="button" class="primary" onClick={() => setNew(true)}>
          New exchange
        </button>
      </Head>
      <Filter label="Filter by name" state={state} page={polled.data} things={["exchange", "exchanges"]}>
        <ColumnChooser list="exchanges" columns={all} />
      </Filter>
      <Listed polled={polled} state={state} what="the exchanges" none="There is no exchange that you may see.">
        {(rows) => (
          <Table label="Exchanges" columns={columns} rows={rows} rowKey={(exchange) => `${exchange.vhost}\n${exchange.name}`} order={state.order} onOrder={listActs.order} />
        )}
      </Listed>
      {isNew && <NewExchange vhost={vhost} onClose={() => setNew(false)} after={polled.refresh} />}
    </>
  );
}

const TYPES = ["direct", "topic", "fanout", "headers", "x-delayed-message", "x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random", "x-recent-history"];

function NewExchange({ vhost, onClose, after }: { vhost: string; onClose: () => void; after: () => void }) {
  const [where, setWhere] = useState(vhost || "/");
  const [name, setName] = useState("");
  const [type, setType] = useState("direct");
  const [durable, setDurable] = useState(true);
  const [autoDelete, setAutoDelete] = useState(false);
  const [internal, setInternal] = useState(false);
  const [alternate, setAlternate] = useState("");
  const [delayedType, setDelayedType] = useState("direct");
  const [given, setGiven] = useState("");
  const run = async () => {
    const all: Record<string, unknown> = readObject(given);
    if (alternate) all["alternate-exchange"] = alternate;
    if (type === "x-delayed-message") all["x-delayed-type"] = delayedType;
    await put(`/api/exchanges${path(where, name)}`, { type, durable, auto_delete: autoDelete, internal, arguments: all });
    tell(`Exchange '${name}' is there.`);
    after();
  };
  return (
    <FormDialog title="New exchange" act="Make exchange" failed="Not made" run={run} onClose={onClose}>
      <Text label="Name" value={name} onChange={setName} isRequired />
      <VhostChoice value={where} onChange={setWhere} />
      <Choice label="Type" value={type} onChange={setType} choices={TYPES} />
      {type === "x-delayed-message" && <Choice label="Routes, when the delay is over, as" value={delayedType} onChange={setDelayedType} choices={TYPES.slice(0, 4)} />}
      <div class="row">
        <Check label="Durable: survives a restart" value={durable} onChange={setDurable} />
        <Check label="Deleted with its last binding" value={autoDelete} onChange={setAutoDelete} />
        <Check label="Internal" value={internal} onChange={setInternal} />
      </div>
      <Text label="What reaches no queue goes to exchange" value={alternate} onChange={setAlternate} about={<code>alternate-exchange</code>} />
      <Area label="Other arguments, as a JSON object" value={given} onChange={setGiven} rows={2} />
    </FormDialog>
  );
}
