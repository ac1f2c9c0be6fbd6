import { useEffect, useState } from "preact/hooks";
import { del, put } from "../api/client";
import type { Policy } from "../api/types";
import { matches } from "../state/idle-policies";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { link, path, useFlag } from "../state/route";
import { may } from "../state/session";
import { useStore } from "../state/store";
import { Arguments, Badge, Empty, Failure, Head, Loading, Missing, Name, Note, Section, Waiting } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Area, Choice, Text, readObject } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { count } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { tell } from "../ui/toast";
import { type Planned, PolicyPreview } from "./policy-preview";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

/** Policies of users, and those of operators. */
export type PolicyKind = "policies" | "operator-policies";

const TITLES: Record<PolicyKind, [string, string]> = {
  policies: ["Policies", "policy"],
  "operator-policies": ["Operator policies", "operator policy"],
};

/** What a policy applies to now, asked for once while it stays as it is. */
function Matches({ of }: { of: Policy }) {
  const [found, setFound] = useState<number>();
  useEffect(() => {
    let isOver = false;
    matches(of).then(
      (number) => !isOver && setFound(number),
      () => {},
    );
    return () => {
      isOver = true;
    };
  }, [of.vhost, of.pattern, of["apply-to"]]);
  if (found === undefined) return <span class="faint">–</span>;
  return found === 0 ? <Badge tone="warn">none</Badge> : <>{count(found)}</>;
}

function columns(kind: PolicyKind, edit: (policy: Policy) => void, refresh: () => void): Column<Policy>[] {
  const mayEdit = may(kind === "policies" ? "policymaker" : "administrator");
  const name: Column<Policy> = {
    id: "name",
    title: "Name",
    cell: (policy) => (kind === "policies" ? <a class="main-link" href={link(["policies", policy.vhost, policy.name])}><Name of={policy.name} /></a> : <Name of={policy.name} />),
  };
  const acts: Column<Policy> = {
    id: "acts",
    title: "Acts",
    hidesTitle: true,
    cell: (policy) => (
      <span class="row">
        <button type="button" class="small" onClick={() => edit(policy)}>
          Change
        </button>
        <button type="button" class="small danger-quiet" onClick={() => remove(kind, policy, refresh)}>
          Delete
        </button>
      </span>
    ),
  };
  return [
    name,
    { id: "vhost", title: "Virtual host", cell: (policy) => <Name of={policy.vhost} /> },
    { id: "pattern", title: "Pattern", cell: (policy) => <code><Name of={policy.pattern} /></code> },
    { id: "to", title: "Applies to", cell: (policy) => policy["apply-to"].replace("_", " ") },
    { id: "matches", title: "Names that match", isNumber: true, cell: (policy) => <Matches of={policy} /> },
    { id: "priority", title: "Priority", isNumber: true, cell: (policy) => count(policy.priority) },
    { id: "definition", title: "Definition", cell: (policy) => <Arguments of={policy.definition} /> },
    ...(mayEdit ? [acts] : []),
  ];
}

function remove(kind: PolicyKind, policy: Policy, refresh: () => void): void {
  ask({
    title: `Delete ${TITLES[kind][1]} '${policy.name}'?`,
    text: "What it applies to is at once as if it had never been there: limits and dead-lettering that come from it end.",
    act: "Delete",
    run: () => del(`/api/${kind}${path(policy.vhost, policy.name)}`).then(refresh),
    done: "The policy is deleted.",
  });
}

export function PoliciesPage(_: PageProps) {
  return (
    <>
      <Head title="Policies" about="What queues and exchanges get without their programs saying so. Of several that match, the one with the highest priority applies." />
      <PolicyTable kind="policies" />
      <PolicyTable kind="operator-policies" />
    </>
  );
}

function PolicyTable({ kind }: { kind: PolicyKind }) {
  const vhost = useStore(vhostFilter);
  const polled = usePoll<Policy[]>(`/api/${kind}${vhost ? path(vhost) : ""}`, kind, { atLeastMs: 5000 });
  const [edited, setEdited] = useState<Policy>();
  const [isNew, setNew] = useFlag(kind === "policies" ? "new" : "new_operator");
  const [title, word] = TITLES[kind];
  const mayAdd = may(kind === "policies" ? "policymaker" : "administrator");
  const add = mayAdd && !polled.error && (
    <button type="button" onClick={() => setNew(true)}>
      New {word}
    </button>
  );
  return (
    <Section title={title} aside={add}>
      {polled.error?.isAbsent ? <Empty>This broker does not serve them yet.</Empty> : !polled.error?.isUnreachable && <Failure error={polled.error} what="Cannot show them" />}
      {!polled.data && !polled.error && <Loading />}
      {polled.data && polled.data.length === 0 && <Empty>None.</Empty>}
      {polled.data && polled.data.length > 0 && (
        <Table label={title} columns={columns(kind, setEdited, polled.refresh)} rows={polled.data} rowKey={(policy) => `${policy.vhost}\n${policy.name}`} />
      )}
      {!mayAdd && <Missing>Making and changing {kind === "policies" ? "policies needs the tag policymaker or" : "operator policies needs the tag"} administrator.</Missing>}
      {edited && <PolicyDialog kind={kind} policy={edited} vhost={vhost} onClose={() => setEdited(undefined)} after={polled.refresh} />}
      {isNew && <PolicyDialog kind={kind} policy={undefined} vhost={vhost} onClose={() => setNew(false)} after={polled.refresh} />}
    </Section>
  );
}

const TARGETS = ["queues", "classic_queues", "quorum_queues", "exchanges", "all"];

/** Definitions that people use most. */
const EXAMPLES: [string, Record<string, unknown>][] = [
  ["Messages live for an hour", { "message-ttl": 3_600_000 }],
  ["At most 10,000 messages", { "max-length": 10_000 }],
  ["Dead letters go to an exchange", { "dead-letter-exchange": "dead" }],
  ["Queues go away when unused for a day", { expires: 86_400_000 }],
  ["Deliver at most 5 times", { "delivery-limit": 5 }],
];

interface PolicyDialogProps {
  kind: PolicyKind;
  policy: Policy | undefined;
  vhost: string;
  onClose: () => void;
  after: () => void;
}

export function PolicyDialog({ kind, policy, vhost, onClose, after }: PolicyDialogProps) {
  const [where, setWhere] = useState(policy?.vhost ?? (vhost || "/"));
  const [name, setName] = useState(policy?.name ?? "");
  const [pattern, setPattern] = useState(policy?.pattern ?? "^");
  const [to, setTo] = useState(policy?.["apply-to"] ?? "queues");
  const [priority, setPriority] = useState(String(policy?.priority ?? 0));
  const [definition, setDefinition] = useState(JSON.stringify(policy?.definition ?? {}, null, 2));
  const planned = (): Planned | undefined => {
    try {
      return { vhost: where, name, pattern, "apply-to": to, priority: Number(priority), definition: readObject(definition) };
    } catch {
      return undefined;
    }
  };
  const run = async () => {
    const body = { pattern, "apply-to": to, priority: Number(priority), definition: readObject(definition) };
    await put(`/api/${kind}${path(where, name)}`, body);
    tell(`Policy '${name}' applies.`);
    after();
  };
  const plan = planned();
  const add = (key: string) => {
    const example = EXAMPLES.find(([title]) => title === key)?.[1];
    try {
      if (example) setDefinition(JSON.stringify({ ...readObject(definition), ...example }, null, 2));
    } catch {
      // What is typed is no JSON yet: nothing can be added to it.
    }
  };
  return (
    <FormDialog title={policy ? `Change '${policy.name}'` : `New ${TITLES[kind][1]}`} act={policy ? "Change" : `Make ${TITLES[kind][1]}`} failed="Not done" run={run} onClose={onClose} isWide>
      <div class="grid-2">
        {!policy && <Text label="Name" value={name} onChange={setName} isRequired />}
        {!policy && <VhostChoice value={where} onChange={setWhere} />}
        <Text label="Pattern, a regular expression" value={pattern} onChange={setPattern} isRequired />
        <Choice label="Applies to" value={to} onChange={setTo} choices={TARGETS.map((one) => [one, one.replace("_", " ")])} />
        <Text label="Priority" type="number" value={priority} onChange={setPriority} />
      </div>
      <Area label="Definition, a JSON object" value={definition} onChange={setDefinition} rows={5} />
      <Choice label="Add to it" value="" onChange={add} choices={[["", "– choose –"], ...EXAMPLES.map(([title]): [string, string] => [title, title])]} />
      {plan ? <PolicyPreview kind={kind} plan={plan} /> : <Note tone="warn">The definition is no JSON object yet.</Note>}
    </FormDialog>
  );
}

/** RabbitMQ has a page for each policy. */
export function PolicyPage({ args }: PageProps) {
  const [vhost = "", name = ""] = args;
  // As a list, which everybody may see who may see the virtual host; one alone is for those who make them.
  const polled = usePoll<Policy[]>(`/api/policies${path(vhost)}`);
  const [isEditing, setEditing] = useState(false);
  const policy = polled.data?.find((one) => one.name === name);
  return (
    <>
      <Head title={<Name of={name} />} crumbs={[{ text: "Policies", href: link(["policies"]) }, { text: <>virtual host <Name of={vhost} /></> }]}>
        {!may("policymaker") && <Missing>Changing a policy needs the tag policymaker or administrator.</Missing>}
        {policy && may("policymaker") && (
          <>
            <button type="button" onClick={() => setEditing(true)}>
              Change
            </button>
            <button type="button" class="danger-quiet" onClick={() => remove("policies", policy, () => (location.hash = link(["policies"])))}>
              Delete
            </button>
          </>
        )}
      </Head>
      <Waiting polled={polled} what="the policy" />
      {polled.data && !policy && <Note tone="warn">There is no such policy in virtual host '<Name of={vhost} />'.</Note>}
      {policy && (
        <div class="columns">
          <Section title="Definition">
            <Arguments of={policy.definition} />
            <p class="faint">
              Applies to {policy["apply-to"].replace("_", " ")} whose names match <code>{policy.pattern}</code>, with priority {count(policy.priority)}.
            </p>
          </Section>
          <Section title="What it matches">
            {may("policymaker") ? (
              <PolicyPreview kind="policies" plan={policy} />
            ) : (
              // What it changes is told only to those who make policies.
              <p>
                Names that match now: <Matches of={policy} />
              </p>
            )}
          </Section>
        </div>
      )}
      {isEditing && policy && <PolicyDialog kind="policies" policy={policy} vhost={vhost} onClose={() => setEditing(false)} after={polled.refresh} />}
    </>
  );
}

