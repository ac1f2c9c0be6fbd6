import { useEffect, useState } from "preact/hooks";
import { ApiError, get, post } from "../api/client";
import type { PreviewedPolicy, PreviewedThing } from "../api/leveret";
import { nearly } from "../state/names";
import { path } from "../state/route";
import { Badge, Failure, Name, Note } from "../ui/basics";
import { counted, value, visible } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { exchangeLink } from "./bindings";
import type { PolicyKind } from "./policies";
import { queueLink } from "./queues";

/** What is typed is asked for when the fingers rest. */
const REST_MS = 300;
const SHOWN = 50;
/** What matches does not depend on the definition; one that is still empty would be refused. */
const STAND_IN = { "max-length": 1 };

/** A policy as it would be put. */
export interface Planned {
  vhost: string;
  name: string;
  pattern: string;
  "apply-to": string;
  priority: number;
  definition: Record<string, unknown>;
}

interface Known {
  name: string;
}

/** Names that the pattern may have been meant for. */
async function meantFor(plan: Planned): Promise<string[]> {
  const kinds = plan["apply-to"] === "exchanges" ? ["exchanges"] : plan["apply-to"] === "all" ? ["queues", "exchanges"] : ["queues"];
  const all = await Promise.all(kinds.map((kind) => get<Known[]>(`/api/${kind}${path(plan.vhost)}?columns=name&disable_stats=true`)));
  return nearly([...new Set(all.flat().map((one) => one.name))], plan.pattern);
}

/** Says what a policy would apply to, and what it would change, while it is being typed. */
export function PolicyPreview({ kind, plan }: { kind: PolicyKind; plan: Planned }) {
  const [found, setFound] = useState<PreviewedPolicy>();
  const [meant, setMeant] = useState<string[]>([]);
  const [error, setError] = useState<unknown>();
  const key = JSON.stringify(plan);
  const isEmpty = Object.keys(plan.definition).length === 0;
  useEffect(() => {
    let isOver = false;
    const look = async () => {
      const { name, ...rest } = plan;
      const body = { ...rest, ...(name ? { name } : {}), ...(isEmpty ? { definition: STAND_IN } : {}), operator: kind === "operator-policies" };
      const answer = await post<PreviewedPolicy>("/api/leveret/policies/preview", body);
      const near = answer.matches.some((one) => one.matches) ? [] : await meantFor(plan);
      if (isOver) return;
      setFound(answer);
      setMeant(near);
      setError(undefined);
    };
    const timer = setTimeout(() => look().catch((failure: unknown) => !isOver && setError(failure)), REST_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key, kind]);
  if (error instanceof ApiError && error.status === 400) return <Note tone="warn">It would be refused: {visible(error.reason)}</Note>;
  if (error) return <Failure error={error} what="Cannot say what it would change" />;
  if (!found) return <p class="faint">Looking what matches…</p>;
  const matching = found.matches.filter((one) => one.matches);
  const left = found.matches.length - matching.length;
  if (matching.length === 0) return <Nothing meant={meant} left={left} />;
  return (
    <div class="stack">
      <Note tone="good">
        Matches {counted(found.total - left, "name")} now, and later ones like them.
        {left > 0 && ` ${counted(left, "name")} that it holds for now would be left out.`}
      </Note>
      <Table label="What it applies to" columns={columns(plan.vhost).filter((column) => !isEmpty || column.id !== "changes")} rows={found.matches.slice(0, SHOWN)} rowKey={(one) => `${one.kind} ${one.name}`} />
      {found.total > SHOWN && <p class="faint">And {counted(found.total - SHOWN, "more")}.</p>}
    </div>
  );
}

function Nothing({ meant, left }: { meant: string[]; left: number }) {
  return (
    <Note tone="warn">
      This matches nothing that is there now.{left > 0 && ` ${counted(left, "name")} that it holds for now would be left out.`}
      {meant.length > 0 && (
        <>
          {" "}
          Nearly the same:{" "}
          {meant.map((name, at) => (
            <span key={name} class="one-of">
              <Name of={name} />
              {at < meant.length - 1 ? "," : "."}
            </span>
          ))}
        </>
      )}
    </Note>
  );
}

function Holds({ of }: { of: PreviewedThing }) {
  if (!of.matches) return <Badge tone="warn">no more</Badge>;
  if (of.wins) return <Badge tone="good">yes</Badge>;
  return (
    <>
      <Badge>no</Badge> <span class="faint">policy '{visible(of.now_policy ?? "")}' goes before it</span>
    </>
  );
}

const said = (item: unknown) => (item === null ? "nothing" : visible(value(item)));

const columns = (vhost: string): Column<PreviewedThing>[] => [
  {
    id: "name",
    title: "Name",
    cell: (one) => (
      <>
        <span class="faint">{one.kind}</span> <a href={one.kind === "queue" ? queueLink({ vhost, name: one.name }) : exchangeLink(vhost, one.name)}><Name of={one.name} empty="(AMQP default)" /></a>
      </>
    ),
  },
  { id: "holds", title: "Holds for it", cell: (one) => <Holds of={one} /> },
  {
    id: "changes",
    title: "Changes",
    cell: (one) => {
      const changes = Object.entries(one.changes);
      if (changes.length === 0) return <span class="faint">none</span>;
      return (
        <ul class="plain-list">
          {changes.map(([name, [before, after]]) => (
            <li key={name}>
              <code>{visible(name)}</code>: <bdi>{said(before)}</bdi> → <bdi>{said(after)}</bdi>
            </li>
          ))}
        </ul>
      );
    },
  },
];
