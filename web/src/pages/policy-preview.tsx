import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Exchange, Queue } from "../api/types";
import { matching, nearly } from "../state/names";
import { path } from "../state/route";
import { Failure, Name, Note } from "../ui/basics";
import { counted } from "../ui/format";
import { exchangeLink } from "./bindings";
import { queueLink } from "./queues";

interface Known {
  kind: "queue" | "exchange";
  name: string;
  type: string;
}

const SHOWN = 20;

/** Everything in a virtual host that a policy may be about. */
async function known(vhost: string, applyTo: string): Promise<Known[]> {
  const columns = "?columns=name,type&disable_stats=true";
  const asks: Promise<Known[]>[] = [];
  if (applyTo !== "exchanges") {
    asks.push(get<Queue[]>(`/api/queues${path(vhost)}${columns}`).then((all) => all.map(({ name, type }) => ({ kind: "queue", name, type }))));
  }
  if (applyTo === "exchanges" || applyTo === "all") {
    asks.push(get<Exchange[]>(`/api/exchanges${path(vhost)}${columns}`).then((all) => all.map(({ name, type }) => ({ kind: "exchange", name, type }))));
  }
  const all = (await Promise.all(asks)).flat();
  const type = applyTo === "classic_queues" ? "classic" : applyTo === "quorum_queues" ? "quorum" : undefined;
  return type ? all.filter((one) => one.type === type) : all;
}

/** Says which queues and exchanges a pattern matches, while it is being typed. */
export function PolicyPreview({ vhost, pattern, applyTo }: { vhost: string; pattern: string; applyTo: string }) {
  const [all, setAll] = useState<Known[]>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    let isOver = false;
    known(vhost, applyTo).then(
      (found) => !isOver && setAll(found),
      (failure) => !isOver && setError(failure),
    );
    return () => {
      isOver = true;
    };
  }, [vhost, applyTo]);
  if (error) return <Failure error={error} what="Cannot say what matches" />;
  if (!all) return <p class="faint">Looking what matches…</p>;
  const names = matching(
    all.map((one) => one.name),
    pattern,
  );
  if (!names) return <Note tone="warn">This is no regular expression.</Note>;
  const found = all.filter((one) => names.includes(one.name));
  if (found.length === 0) {
    const meant = nearly([...new Set(all.map((one) => one.name))], pattern);
    return (
      <Note tone="warn">
        This matches nothing of the {counted(all.length, "name")} that are there now.
        {meant.length > 0 && (
          <>
            {" "}
            Nearly the same:{" "}
            {meant.map((name, at) => (
              <span key={name}>
                {at > 0 && ", "}
                <Name of={name} />
              </span>
            ))}
            .
          </>
        )}
      </Note>
    );
  }
  return (
    <Note tone="good">
      Matches {counted(found.length, "name")} now, and later ones like them:
      <ul>
        {found.slice(0, SHOWN).map((one) => (
          <li key={`${one.kind} ${one.name}`}>
            <span class="faint">{one.kind}</span> <a href={one.kind === "queue" ? queueLink({ vhost, name: one.name }) : exchangeLink(vhost, one.name)}><Name of={one.name} empty="(AMQP default)" /></a>
          </li>
        ))}
        {found.length > SHOWN && <li class="faint">and {found.length - SHOWN} more</li>}
      </ul>
    </Note>
  );
}
