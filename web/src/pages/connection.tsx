import { useState } from "preact/hooks";
import { del } from "../api/client";
import type { Channel, Connection } from "../api/types";
import { usePoll } from "../state/poll";
import { ofOne, useRange } from "../state/range";
import { go, link, path, queryText } from "../state/route";
import { identity, may } from "../state/session";
import { Arguments, Facts, Failure, FullMoment, Head, Missing, Name, Note, Section, Waiting } from "../ui/basics";
import { ChartSection, IN, OUT } from "../ui/chart-section";
import { Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { bytes, count, counted, visible } from "../ui/format";
import { Ranges } from "../ui/ranges";
import { aligned, rates } from "../ui/samples";
import { Table } from "../ui/table";
import { tell } from "../ui/toast";
import { CHANNEL_COLUMNS } from "./channels";
import { client, ConnectionState } from "./connections";
import type { PageProps } from "./routes";

export function ConnectionPage({ args }: PageProps) {
  const name = args[0] ?? "";
  const base = `/api/connections${path(name)}`;
  const range = useRange();
  const polled = usePoll<Connection>(`${base}${queryText(ofOne(range, "data_rates"))}`, base);
  const channels = usePoll<Channel[]>(`${base}/channels`);
  const [isClosing, setClosing] = useState(false);
  const connection = polled.data;
  const crumbs = [{ text: "Connections", href: link(["connections"]) }];
  if (polled.error?.isAbsent) {
    return (
      <>
        <Head title={<Name of={name} />} crumbs={crumbs} />
        <Note tone="warn">This connection is closed. If it was closed for a reason, <a href={link(["errors"])}>the errors</a> have it.</Note>
      </>
    );
  }
  const mayClose = connection && (may("administrator") || connection.user === identity.get()?.name);
  const columns = CHANNEL_COLUMNS.filter((column) => !["connection", "vhost", "user"].includes(column.id) && !column.isExtra);
  return (
    <>
      <Head title={<Name of={connection?.user_provided_name || name} />} crumbs={crumbs} about={connection?.user_provided_name ? <Name of={name} /> : undefined}>
        {mayClose && (
          <button type="button" class="danger-quiet" onClick={() => setClosing(true)}>
            Close
          </button>
        )}
        {connection && !mayClose && (
          <Missing>Closing the connection of somebody else needs the tag administrator.</Missing>
        )}
      </Head>
      <Waiting polled={polled} what="the connection" />
      {connection && (
        <>
          {connection.state === "blocked" && <Note tone="warn">This connection is not read: it publishes, and an alarm is on.</Note>}
          <div class="columns">
            <Section title="Facts">
              <Facts
                of={[
                  ["State", <ConnectionState of={connection} />],
                  ["User", <Name of={connection.user} />],
                  ["Virtual host", <Name of={connection.vhost} />],
                  ["From", `${connection.peer_host}:${connection.peer_port}`],
                  ["Since", <FullMoment at={connection.connected_at} />],
                  ["Protocol", `${connection.protocol}${connection.ssl ? `, ${connection.ssl_protocol ?? "TLS"} ${connection.ssl_cipher ?? ""}` : ", not encrypted"}`],
                  ["Login", connection.auth_mechanism ?? "–"],
                  ...(connection.peer_cert_subject ? ([["Certificate", visible(connection.peer_cert_subject)]] as [string, string][]) : []),
                  ["Heartbeat", connection.timeout ? `${connection.timeout} s` : "none"],
                  ["Largest frame", bytes(connection.frame_max)],
                  ["Channels at most", count(connection.channel_max)],
                  ["From the client", `${bytes(connection.recv_oct)}, ${bytes(connection.recv_oct_details?.rate)}/s`],
                  ["To the client", `${bytes(connection.send_oct)}, ${bytes(connection.send_oct_details?.rate)}/s, ${bytes(connection.send_pend)} not taken yet`],
                ]}
              />
            </Section>
            <Section title={client(connection) || "Client"}>
              <Arguments of={connection.client_properties} none="It says nothing of itself." />
            </Section>
          </div>
          <ChartSection
            title="Bytes a second"
            aside={<Ranges />}
            all={aligned([rates(connection.recv_oct_details), rates(connection.send_oct_details)])}
            format={bytes}
            lines={[{ ...IN, title: "From the client" }, { ...OUT, title: "To the client" }]}
          />
          <Section title={counted(channels.data?.length ?? 0, "channel")}>
            <Failure error={channels.error?.isAbsent ? undefined : channels.error} what="Cannot show the channels" />
            {channels.data && channels.data.length > 0 && <Table label="Channels" columns={columns} rows={channels.data} rowKey={(channel) => channel.name} />}
          </Section>
        </>
      )}
      {isClosing && connection && <CloseDialog connection={connection} onClose={() => setClosing(false)} />}
    </>
  );
}

function CloseDialog({ connection, onClose }: { connection: Connection; onClose: () => void }) {
  const [reason, setReason] = useState("Closed via management plugin");
  const run = async () => {
    await del(`/api/connections${path(connection.name)}`, { "x-reason": reason });
    tell("The connection is closed.");
    go(["connections"]);
  };
  return (
    <FormDialog title="Close this connection?" act="Close connection" failed="Not closed" run={run} onClose={onClose} isDanger>
      <p>
        {counted(connection.channels ?? 0, "channel")} will be closed, and what its consumers hold goes back to the queues. Most programs connect again by themselves.
      </p>
      <Text label="Reason, which the program is told" value={reason} onChange={setReason} />
    </FormDialog>
  );
}
