import type { Connection } from "../api/types";
import { listActs, useList } from "../state/list";
import { link } from "../state/route";
import { Badge, Head, Moment, Name } from "../ui/basics";
import { bytes, count, value } from "../ui/format";
import { Filter, Listed } from "../ui/list";
import { ColumnChooser, keysOf, Table, useColumns, type Column } from "../ui/table";
import type { PageProps } from "./routes";

export const connectionLink = (name: string) => link(["connections", name]);

export function ConnectionState({ of }: { of: Connection }) {
  if (!of.state || of.state === "running") return <span class="faint">running</span>;
  return <Badge tone={of.state === "flow" ? "quiet" : "warn"}>{of.state}</Badge>;
}

/** What the program on the other side is. */
export function client(connection: Connection): string {
  const properties = connection.client_properties ?? {};
  return [properties["product"], properties["version"]].filter((part) => part !== undefined).map(value).join(" ");
}

const COLUMNS: Column<Connection>[] = [
  {
    id: "name",
    title: "Name",
    sort: "name",
    keys: ["name", "user_provided_name"],
    cell: (connection) => (
      <a href={connectionLink(connection.name)} class="main-link">
        <Name of={connection.user_provided_name || connection.name} />
      </a>
    ),
  },
  { id: "peer", title: "From", sort: "peer_host", keys: ["peer_host", "peer_port"], cell: (connection) => <Name of={`${connection.peer_host}:${connection.peer_port}`} /> },
  { id: "vhost", title: "Virtual host", sort: "vhost", cell: (connection) => <Name of={connection.vhost} /> },
  { id: "user", title: "User", sort: "user", cell: (connection) => <Name of={connection.user} /> },
  { id: "client", title: "Client", keys: ["client_properties.product", "client_properties.version"], cell: (connection) => <Name of={client(connection)} empty="not said" /> },
  { id: "state", title: "State", sort: "state", cell: (connection) => <ConnectionState of={connection} /> },
  { id: "tls", title: "TLS", keys: ["ssl", "ssl_protocol"], isExtra: true, cell: (connection) => (connection.ssl ? <Badge tone="good">{connection.ssl_protocol ?? "yes"}</Badge> : <span class="faint">no</span>) },
  { id: "protocol", title: "Protocol", sort: "protocol", isExtra: true, cell: (connection) => connection.protocol },
  { id: "channels", title: "Channels", sort: "channels", isNumber: true, cell: (connection) => count(connection.channels) },
  { id: "in", title: "From client /s", about: "From the client, bytes a second", sort: "recv_oct_details.rate", isNumber: true, cell: (connection) => bytes(connection.recv_oct_details?.rate) },
  { id: "out", title: "To client /s", about: "To the client, bytes a second", sort: "send_oct_details.rate", isNumber: true, cell: (connection) => bytes(connection.send_oct_details?.rate) },
  { id: "since", title: "Since", sort: "connected_at", isNumber: true, cell: (connection) => <Moment at={connection.connected_at} /> },
];

export function ConnectionsPage(_: PageProps) {
  const columns = useColumns("connections", COLUMNS);
  const { state, polled } = useList<Connection>("connections", { isByVhost: false, columns: keysOf(columns) });
  return (
    <>
      <Head title="Connections" />
      <Filter label="Filter by name or address" state={state} page={polled.data} things={["connection", "connections"]}>
        <ColumnChooser list="connections" columns={COLUMNS} />
      </Filter>
      <Listed polled={polled} state={state} what="the connections" none="Nobody is connected, or nobody whom you may see: without the tag monitoring these are your own connections.">
        {(rows) => <Table label="Connections" columns={columns} rows={rows} rowKey={(one) => one.name} order={state.order} onOrder={listActs.order} />}
      </Listed>
    </>
  );
}
