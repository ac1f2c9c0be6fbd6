import { useState } from "preact/hooks";
import { del, put } from "../api/client";
import type { Permission, TopicPermission } from "../api/types";
import { usePoll } from "../state/poll";
import { link, path } from "../state/route";
import { Empty, Failure, Name, Section } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Text } from "../ui/fields";
import { FormBox } from "../ui/form";
import { Table, type Column } from "../ui/table";
import { tell } from "../ui/toast";

interface PermissionsProps {
  /** Those of a user in all virtual hosts, or of all users in one. */
  by: "user" | "vhost";
  name: string;
}

/** Who may do what where. */
export function PermissionsSection({ by, name }: PermissionsProps) {
  const base = `/api/${by === "user" ? "users" : "vhosts"}${path(name)}`;
  const polled = usePoll<Permission[]>(`${base}/permissions`);
  const topics = usePoll<TopicPermission[]>(`${base}/topic-permissions`);
  const revoke = (one: Permission) =>
    ask({
      title: `Take the permissions of '${one.user}' in '${one.vhost}' away?`,
      text: "Its next operation there is refused, and it cannot connect to this virtual host any more.",
      act: "Take away",
      run: () => del(`/api/permissions${path(one.vhost, one.user)}`).then(polled.refresh),
      done: "The permissions are taken away.",
    });
  const other: Column<{ user: string; vhost: string }> =
    by === "user"
      ? { id: "vhost", title: "Virtual host", cell: (one) => <a class="main-link" href={link(["vhosts", one.vhost])}><Name of={one.vhost} /></a> }
      : { id: "user", title: "User", cell: (one) => <a class="main-link" href={link(["users", one.user])}><Name of={one.user} /></a> };
  const pattern = (text: string) => (text === "" ? <span class="faint">nothing</span> : <code><Name of={text} /></code>);
  const columns: Column<Permission>[] = [
    other as Column<Permission>,
    { id: "configure", title: "May configure", cell: (one) => pattern(one.configure) },
    { id: "write", title: "May write to", cell: (one) => pattern(one.write) },
    { id: "read", title: "May read from", cell: (one) => pattern(one.read) },
    { id: "acts", title: "Acts", hidesTitle: true, cell: (one) => <button type="button" class="small danger-quiet" onClick={() => revoke(one)}>Take away</button> },
  ];
  const topicColumns: Column<TopicPermission>[] = [
    other as Column<TopicPermission>,
    { id: "exchange", title: "Exchange", cell: (one) => <Name of={one.exchange} empty="(AMQP default)" /> },
    { id: "write", title: "May write keys", cell: (one) => pattern(one.write) },
    { id: "read", title: "May read keys", cell: (one) => pattern(one.read) },
    {
      id: "acts",
      title: "Acts",
      hidesTitle: true,
      cell: (one) => (
        <button
          type="button"
          class="small danger-quiet"
          onClick={() =>
            ask({
              title: `Take the topic permissions of '${one.user}' away?`,
              text: "Routing keys of this exchange are no more limited for this user.",
              act: "Take away",
              run: () => del(`/api/topic-permissions${path(one.vhost, one.user)}`).then(topics.refresh),
              done: "The topic permissions are taken away.",
            })
          }
        >
          Take away
        </button>
      ),
    },
  ];
  return (
    <>
      <Section title="Permissions">
        <Failure error={polled.error?.isUnreachable ? undefined : polled.error} what="Cannot show the permissions" />
        {polled.data?.length === 0 && <Empty>{by === "user" ? "This user may enter no virtual host." : "Nobody may enter this virtual host."}</Empty>}
        {polled.data && polled.data.length > 0 && <Table label="Permissions" columns={columns} rows={polled.data} rowKey={(one) => `${one.vhost}\n${one.user}`} />}
        <GrantForm by={by} name={name} after={polled.refresh} />
      </Section>
      <Section title="Topic permissions" aside={<span class="faint">limit routing keys of topic exchanges</span>}>
        {topics.data?.length === 0 && <Empty>None: routing keys are not limited.</Empty>}
        {topics.data && topics.data.length > 0 && <Table label="Topic permissions" columns={topicColumns} rows={topics.data} rowKey={(one) => `${one.vhost}\n${one.user}\n${one.exchange}`} />}
        <TopicForm by={by} name={name} after={topics.refresh} />
      </Section>
    </>
  );
}

function GrantForm({ by, name, after }: PermissionsProps & { after: () => void }) {
  const [other, setOther] = useState(by === "user" ? "/" : "");
  const [configure, setConfigure] = useState(".*");
  const [write, setWrite] = useState(".*");
  const [read, setRead] = useState(".*");
  const [vhost, user] = by === "user" ? [other, name] : [name, other];
  const run = async () => {
    await put(`/api/permissions${path(vhost, user)}`, { configure, write, read });
    tell(`'${user}' has permissions in '${vhost}'.`);
    after();
  };
  return (
    <FormBox summary="Give or change permissions" act="Give" failed="Not done" run={run}>
      <div class="grid-2">
        <Text label={by === "user" ? "Virtual host" : "User"} value={other} onChange={setOther} isRequired />
        <Text label="May configure names like" value={configure} onChange={setConfigure} about="A regular expression; empty for none." />
        <Text label="May write to names like" value={write} onChange={setWrite} />
        <Text label="May read from names like" value={read} onChange={setRead} />
      </div>
    </FormBox>
  );
}

function TopicForm({ by, name, after }: PermissionsProps & { after: () => void }) {
  const [other, setOther] = useState(by === "user" ? "/" : "");
  const [exchange, setExchange] = useState("amq.topic");
  const [write, setWrite] = useState(".*");
  const [read, setRead] = useState(".*");
  const [vhost, user] = by === "user" ? [other, name] : [name, other];
  const run = async () => {
    await put(`/api/topic-permissions${path(vhost, user)}`, { exchange, write, read });
    tell("The topic permissions are set.");
    after();
  };
  return (
    <FormBox summary="Limit routing keys" act="Limit" failed="Not done" run={run}>
      <div class="grid-2">
        <Text label={by === "user" ? "Virtual host" : "User"} value={other} onChange={setOther} isRequired />
        <Text label="Exchange" value={exchange} onChange={setExchange} isRequired />
        <Text label="May write keys like" value={write} onChange={setWrite} />
        <Text label="May read keys like" value={read} onChange={setRead} />
      </div>
    </FormBox>
  );
}
