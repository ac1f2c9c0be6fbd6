import { useState } from "preact/hooks";
import { del, put } from "../api/client";
import { usePoll } from "../state/poll";
import { link, path } from "../state/route";
import { may } from "../state/session";
import { Empty, Failure, Head, Missing, Name, Section } from "../ui/basics";
import { Choice, Text } from "../ui/fields";
import { count } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { tell } from "../ui/toast";
import type { PageProps } from "./routes";

type Kind = "user" | "vhost";

const NAMES: Record<Kind, [string, string][]> = {
  vhost: [
    ["max-connections", "connections at most"],
    ["max-queues", "queues at most"],
  ],
  user: [
    ["max-connections", "connections at most"],
    ["max-channels", "channels at most"],
  ],
};

interface Limited {
  user?: string;
  vhost?: string;
  value: Record<string, number>;
}

interface Row {
  who: string;
  limit: string;
  value: number;
}

/** Limits of one user or one virtual host. */
export function LimitsSection({ kind, name }: { kind: Kind; name: string }) {
  return (
    <Section title="Limits">
      <Limits kind={kind} name={name} />
    </Section>
  );
}

function Limits({ kind, name }: { kind: Kind; name?: string }) {
  const base = `/api/${kind}-limits`;
  const polled = usePoll<Limited[]>(name === undefined ? base : `${base}${path(name)}`, `${base} ${name}`, { atLeastMs: 5000 });
  const rows: Row[] = (polled.data ?? []).flatMap((one) => Object.entries(one.value).map(([limit, value]) => ({ who: one.user ?? one.vhost ?? "", limit, value })));
  const [who, setWho] = useState(name ?? "");
  const [limit, setLimit] = useState("max-connections");
  const [value, setValue] = useState("100");
  const [error, setError] = useState<unknown>();
  const clear = async (row: Row) => {
    setError(undefined);
    try {
      await del(`${base}${path(row.who, row.limit)}`);
      tell("The limit is gone.");
      polled.refresh();
    } catch (failure) {
      setError(failure);
    }
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    try {
      await put(`${base}${path(who, limit)}`, { value: Number(value) });
      tell("The limit holds.");
      polled.refresh();
    } catch (failure) {
      setError(failure);
    }
  };
  const columns: Column<Row>[] = [
    ...(name === undefined
      ? [{ id: "who", title: kind === "user" ? "User" : "Virtual host", cell: (row: Row) => <a class="main-link" href={link([`${kind}s`, row.who])}><Name of={row.who} /></a> }]
      : []),
    { id: "limit", title: "Limit", cell: (row) => NAMES[kind].find(([id]) => id === row.limit)?.[1] ?? row.limit },
    { id: "value", title: "Value", isNumber: true, cell: (row) => (row.value < 0 ? "no limit" : count(row.value)) },
    ...(may("administrator") ? [{ id: "acts", title: "Acts", hidesTitle: true, cell: (row: Row) => <button type="button" class="small danger-quiet" onClick={() => void clear(row)}>Take away</button> }] : []),
  ];
  return (
    <>
      {!polled.error?.isUnreachable && <Failure error={polled.error} what="Cannot show the limits" />}
      {polled.data && rows.length === 0 && <Empty>No limits.</Empty>}
      {rows.length > 0 && <Table label="Limits" columns={columns} rows={rows} rowKey={(row) => `${row.who}\n${row.limit}`} />}
      {may("administrator") && (
        <details class="form-box">
          <summary>Set a limit</summary>
          <form class="stack" onSubmit={submit}>
            <div class="grid-2">
              {name === undefined && <Text label={kind === "user" ? "User" : "Virtual host"} value={who} onChange={setWho} isRequired />}
              <Choice label="Limit" value={limit} onChange={setLimit} choices={NAMES[kind]} />
              <Text label="Value" type="number" value={value} onChange={setValue} isRequired about="-1: no limit" />
            </div>
            <div>
              <button type="submit" class="primary">
                Set limit
              </button>
            </div>
          </form>
        </details>
      )}
      <Failure error={error} what="Not done" />
    </>
  );
}

export function LimitsPage(_: PageProps) {
  return (
    <>
      <Head title="Limits" />
      <Section title="Of virtual hosts">
        <Limits kind="vhost" />
      </Section>
      {may("administrator") && (
        <Section title="Of users">
          <Limits kind="user" />
        </Section>
      )}
      {!may("administrator") && <Missing>Limits of users, and changing limits, need the tag administrator.</Missing>}
    </>
  );
}
