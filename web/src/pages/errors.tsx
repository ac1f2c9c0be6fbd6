import { useState } from "preact/hooks";
import type { Errors, LoggedError } from "../api/leveret";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { link, queryText } from "../state/route";
import { may } from "../state/session";
import { useStore } from "../state/store";
import { Badge, Empty, FullMoment, Head, Loading, Moment, Name } from "../ui/basics";
import { counted, visible } from "../ui/format";
import { Unserved } from "../ui/unserved";
import type { PageProps } from "./routes";

const LIMIT = 200;

/** Whether an error has a text anywhere. */
export function mentions(error: LoggedError, text: string): boolean {
  const wanted = text.toLowerCase();
  return [error.reply_text, error.connection, error.connection_name, error.user, error.object?.name, error.method].some((place) => place?.toLowerCase().includes(wanted));
}

export function ErrorsPage(_: PageProps) {
  const vhost = useStore(vhostFilter);
  const [wanted, setWanted] = useState("");
  const polled = usePoll<Errors>(`/api/leveret/errors${queryText({ limit: LIMIT, vhost })}`, `errors ${vhost}`);
  const found = (polled.data?.items ?? []).filter((error) => mentions(error, wanted));
  return (
    <>
      <Head title="Errors" about={`What closed channels and connections, the latest first${may("monitoring") ? "" : ": your own"}.`} />
      <div class="filter" role="search">
        <input type="search" aria-label="Filter errors" placeholder="Filter" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <span class="faint" role="status">
          {polled.data && `${counted(polled.data.total, "error")} since the start`}
          {wanted && `, ${counted(found.length, "of those shown matches", "of those shown match")}`}
        </span>
      </div>
      <Unserved error={polled.error} what="Errors" />
      {!polled.data && !polled.error && <Loading />}
      {polled.data && found.length === 0 && <Empty>{wanted ? "None matches." : "No error has closed anything since the broker was started."}</Empty>}
      <ol class="error-list">
        {found.map((error) => (
          <ErrorRow key={error.id} error={error} />
        ))}
      </ol>
    </>
  );
}

function objectLink(error: LoggedError): string | undefined {
  const { object, vhost } = error;
  // What is not there has no page.
  if (!object || !vhost || error.reply_code === 404) return undefined;
  if (object.type === "queue") return link(["queues", vhost, object.name]);
  if (object.type === "exchange") return link(["exchanges", vhost, object.name || "amq.default"]);
  return undefined;
}

/** Who made what is there. */
function DeclaredBy({ of }: { of: LoggedError["declared_by"] }) {
  if (!of) return null;
  return (
    <span class="faint">
      {" "}
      It was declared <Moment at={of.at} /> by{" "}
      {of.connection ? (
        <a href={link(["connections", of.connection])}>
          <Name of={of.connection_name || of.connection} />
        </a>
      ) : (
        "the HTTP API"
      )}
      , user <Name of={of.user} />.
    </span>
  );
}

function ErrorRow({ error }: { error: LoggedError }) {
  const href = objectLink(error);
  const who = error.connection_name || error.connection;
  return (
    <li>
      <div class="error-head">
        <Badge tone="bad">{error.reply_code}</Badge>
        <span class="said">
          <bdi>{visible(error.reply_text)}</bdi>
        </span>
        <span class="faint">
          <Moment at={error.at} />
        </span>
      </div>
      {error.difference && (
        <p class="difference">
          <code>{visible(error.difference.argument)}</code> is <strong>{visible(error.difference.current)}</strong>, and the program wants <strong>{visible(error.difference.received)}</strong>.
          <DeclaredBy of={error.declared_by} />
        </p>
      )}
      <p>{visible(error.advice)}</p>
      <p class="faint">
        Closed the {error.closed}
        {error.channel !== null && error.closed === "channel" ? ` ${error.channel}` : ""} of <Name of={who} />
        {error.user && (
          <>
            , user <Name of={error.user} />
          </>
        )}
        {error.method && (
          <>
            , in <code>{error.method}</code>
          </>
        )}
        {href && error.object && (
          <>
            . <a href={href}>Look at {error.object.type} '{visible(error.object.name)}'</a>
          </>
        )}
      </p>
      <details>
        <summary>More</summary>
        <p>
          At <FullMoment at={error.at} />, from <Name of={error.peer} />
          {error.vhost && (
            <>
              , virtual host <Name of={error.vhost} />
            </>
          )}
          . Client: {visible(Object.values(error.client ?? {}).join(" ")) || "not said"}. Connection <Name of={error.connection} />.
        </p>
      </details>
    </li>
  );
}
