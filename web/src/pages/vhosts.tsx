import { useState } from "preact/hooks";
import { del, post, put } from "../api/client";
import { rateOf, type Vhost } from "../api/types";
import { usePoll } from "../state/poll";
import { go, link, path, useFlag } from "../state/route";
import { may } from "../state/session";
import { Badge, Facts, Head, Missing, Name, Note, Section, Waiting } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Choice, Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { count, counted, rate, visible } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { tell } from "../ui/toast";
import { LimitsSection } from "./limits";
import { PermissionsSection } from "./permissions";
import type { PageProps } from "./routes";

const COLUMNS: Column<Vhost>[] = [
  { id: "name", title: "Name", cell: (vhost) => (may("administrator") ? <a class="main-link" href={link(["vhosts", vhost.name])}><Name of={vhost.name} /></a> : <Name of={vhost.name} />) },
  { id: "description", title: "Description", cell: (vhost) => <Name of={vhost.description ?? ""} empty="–" /> },
  { id: "type", title: "Queues are", cell: (vhost) => <span class="faint">{vhost.default_queue_type && vhost.default_queue_type !== "undefined" ? vhost.default_queue_type : "classic"}</span> },
  { id: "ready", title: "Ready", about: "Ready, messages", isNumber: true, cell: (vhost) => count(vhost.messages_ready ?? 0) },
  { id: "unacked", title: "Unacked", about: "Unacknowledged, messages", isNumber: true, cell: (vhost) => count(vhost.messages_unacknowledged ?? 0) },
  { id: "in", title: "In /s", about: "Published, messages a second", isNumber: true, cell: (vhost) => rate(rateOf(vhost.message_stats, "publish")) },
  { id: "out", title: "Out /s", about: "Delivered, messages a second", isNumber: true, cell: (vhost) => rate(rateOf(vhost.message_stats, "deliver_get")) },
  { id: "protected", title: "Protection", hidesTitle: true, cell: (vhost) => vhost.protected_from_deletion && <Badge>protected</Badge> },
];

export function VhostsPage(_: PageProps) {
  const polled = usePoll<Vhost[]>("/api/vhosts");
  const [isNew, setNew] = useFlag("new");
  return (
    <>
      <Head title="Virtual hosts">
        {may("administrator") ? (
          <button type="button" class="primary" onClick={() => setNew(true)}>
            New virtual host
          </button>
        ) : (
          <Missing>Making and changing virtual hosts needs the tag administrator. Those in which you have no permissions are not shown.</Missing>
        )}
      </Head>
      <Waiting polled={polled} what="the virtual hosts" />
      {polled.data && <Table label="Virtual hosts" columns={COLUMNS} rows={polled.data} rowKey={(vhost) => vhost.name} />}
      {isNew && <VhostDialog onClose={() => setNew(false)} after={polled.refresh} />}
    </>
  );
}

interface VhostDialogProps {
  vhost?: Vhost;
  onClose: () => void;
  after: () => void;
}

/** Makes a virtual host, or describes one otherwise. */
function VhostDialog({ vhost, onClose, after }: VhostDialogProps) {
  const [name, setName] = useState(vhost?.name ?? "");
  const [description, setDescription] = useState(vhost?.description ?? "");
  const [tags, setTags] = useState((vhost?.tags ?? []).join(", "));
  const [type, setType] = useState(vhost?.default_queue_type === "quorum" ? "quorum" : "classic");
  const run = async () => {
    await put(`/api/vhosts${path(name)}`, { description, tags, default_queue_type: type });
    tell(vhost ? `Virtual host '${name}' is changed.` : `Virtual host '${name}' is there.`);
    after();
  };
  return (
    <FormDialog title={vhost ? `Change '${vhost.name}'` : "New virtual host"} act={vhost ? "Change" : "Make virtual host"} failed={vhost ? "Not changed" : "Not made"} run={run} onClose={onClose}>
      {!vhost && <Text label="Name" value={name} onChange={setName} isRequired />}
      <Text label="Description" value={description} onChange={setDescription} />
      <Text label="Tags" value={tags} onChange={setTags} about="With commas between them; they mean nothing to the broker." />
      <Choice label="Queues that do not say their type are" value={type} onChange={setType} choices={["classic", "quorum"]} />
    </FormDialog>
  );
}

interface ResetAnswer {
  connections: number;
  queues: number;
  messages: number;
}

export function VhostPage({ args }: PageProps) {
  const name = args[0] ?? "";
  const base = `/api/vhosts${path(name)}`;
  const polled = usePoll<Vhost>(base);
  const vhost = polled.data;
  const [isEditing, setEditing] = useState(false);
  const isProtected = vhost?.protected_from_deletion ?? false;
  const messages = counted(vhost?.messages ?? 0, "message");
  const reset = () =>
    ask({
      title: `Make '${name}' as new?`,
      text: `Its connections are closed; its queues with ${messages}, exchanges, bindings, policies and parameters are removed, for good. Permissions and limits stay.`,
      act: "Reset",
      typed: name,
      run: () => post<ResetAnswer>(`/api/leveret/vhosts${path(name)}/reset`).finally(polled.refresh),
      done: (answer) => {
        const gone = answer as ResetAnswer;
        return `Gone: ${counted(gone.queues, "queue")}, ${counted(gone.messages, "message")}, ${counted(gone.connections, "connection")}.`;
      },
    });
  const remove = () =>
    ask({
      title: `Delete virtual host '${name}'?`,
      text: `Everything in it goes with it, for good: its queues with ${messages}, exchanges, policies and permissions. Its connections are closed.`,
      act: "Delete",
      typed: name,
      run: async () => {
        await del(base);
        go(["vhosts"]);
      },
      done: `Virtual host '${name}' is deleted.`,
    });
  const protect = () =>
    ask({
      title: isProtected ? "End the protection?" : `Protect '${name}' from being deleted?`,
      text: isProtected ? "It can be deleted and reset again." : "Deleting and resetting it is refused until the protection ends.",
      act: isProtected ? "End it" : "Protect",
      isHarmless: true,
      run: () => (isProtected ? del(`${base}/deletion/protection`) : post(`${base}/deletion/protection`)).then(polled.refresh),
      done: isProtected ? "It is no longer protected." : "It is protected.",
    });
  return (
    <>
      <Head title={<Name of={name} />} crumbs={[{ text: "Virtual hosts", href: link(["vhosts"]) }]}>
        {vhost && (
          <>
            <button type="button" onClick={() => setEditing(true)}>
              Change
            </button>
            <button type="button" onClick={protect}>
              {isProtected ? "End protection" : "Protect"}
            </button>
            {!isProtected && (
              <>
                <button type="button" class="danger-quiet" onClick={reset}>
                  Reset
                </button>
                <button type="button" class="danger-quiet" onClick={remove}>
                  Delete
                </button>
              </>
            )}
          </>
        )}
      </Head>
      <Waiting polled={polled} what="the virtual host" />
      {isProtected && <Note>It is protected from being deleted and reset.</Note>}
      {vhost && (
        <>
          <Section title="Facts">
            <Facts
              of={[
                ["Description", <Name of={vhost.description ?? ""} empty="–" />],
                ["Tags", (vhost.tags ?? []).length ? <span class="marks">{vhost.tags?.map((tag) => <Badge key={tag}>{visible(tag)}</Badge>)}</span> : "–"],
                ["Ready", counted(vhost.messages_ready ?? 0, "message")],
                ["Unacknowledged", counted(vhost.messages_unacknowledged ?? 0, "message")],
                ["Published", `${rate(rateOf(vhost.message_stats, "publish"))} messages/s`],
                ["Delivered", `${rate(rateOf(vhost.message_stats, "deliver_get"))} messages/s`],
              ]}
            />
          </Section>
          <PermissionsSection by="vhost" name={name} />
          <LimitsSection kind="vhost" name={name} />
        </>
      )}
      {isEditing && vhost && <VhostDialog vhost={vhost} onClose={() => setEditing(false)} after={polled.refresh} />}
    </>
  );
}
