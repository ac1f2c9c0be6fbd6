import { useEffect, useMemo, useState } from "preact/hooks";
import type { Message } from "../api/leveret";
import { Arguments, Badge, Copy, Facts, FullMoment, Moment, Name, Note, Tabs } from "./basics";
import { bytesOf, hexLines, imageType, jsonOf, kindOf, textOf } from "./body";
import { deathsOf, moral, sentence } from "./deaths";
import { bytes as size, count, duration, value, visible } from "./format";
import { JsonTree } from "./json-tree";

/** More of a body than this is not drawn. */
const HEX_MAX = 64 * 1024;
const TEXT_MAX = 256 * 1024;

const PROPERTY_TITLES: Record<string, string> = {
  content_type: "Content type",
  content_encoding: "Content encoding",
  delivery_mode: "Delivery mode",
  priority: "Priority",
  correlation_id: "Correlation ID",
  reply_to: "Reply to",
  expiration: "Expires after",
  message_id: "Message ID",
  timestamp: "Timestamp",
  type: "Type",
  user_id: "User ID",
  app_id: "App ID",
  cluster_id: "Cluster ID",
};

function property(name: string, item: unknown) {
  if (name === "delivery_mode") return item === 2 ? "2, persistent" : `${value(item)}, transient`;
  if (name === "expiration") return `${value(item)} ms`;
  if (name === "timestamp" && typeof item === "number") return <FullMoment at={item * 1000} />;
  return <bdi>{visible(value(item))}</bdi>;
}

/** The first line of a body, for a list. */
function preview(message: Message): string {
  if (message.payload === null) return "(cannot be read)";
  if (message.payload_encoding === "base64") return "(binary)";
  return message.payload.slice(0, 160).replace(/\s+/g, " ");
}

/** The beginning of a body in a list, which opens the message. */
export function BodyButton({ of, onOpen }: { of: Message; onOpen: () => void }) {
  return (
    <button type="button" class="link preview" onClick={onOpen}>
      <bdi>{visible(preview(of)) || "(empty)"}</bdi>
    </button>
  );
}

/** Everything about a message: its body, what it carries, and what happened to it. */
export function MessageView({ message }: { message: Message }) {
  const deaths = deathsOf(message);
  const [tab, setTab] = useState("body");
  const { headers, ...properties } = Array.isArray(message.properties) ? { headers: undefined } : message.properties;
  const tabs = [
    { id: "body", title: "Body" },
    { id: "properties", title: "Properties" },
    { id: "headers", title: `Headers (${Object.keys(headers ?? {}).length})` },
    ...(deaths.length > 0 ? [{ id: "story", title: "Story" }] : []),
    { id: "json", title: "JSON" },
  ];
  const warning = moral(deaths);
  return (
    <div class="message stack">
      {warning && <Note tone="bad">{warning}</Note>}
      <Tabs label="Parts of the message" tabs={tabs} chosen={tab} onChoose={setTab} />
      {tab === "body" && <Body message={message} />}
      {tab === "properties" && (
        <>
          <Facts of={Object.entries(properties).map(([name, item]) => [PROPERTY_TITLES[name] ?? name, property(name, item)])} />
          <Facts of={knownFacts(message)} />
        </>
      )}
      {tab === "headers" && <Arguments of={headers} none="No headers." />}
      {tab === "json" && <AsJson of={message} />}
      {tab === "story" && (
        <ol class="story">
          {deaths.map((death, at) => (
            <li key={at}>
              <strong>
                {/* The header keeps the time of the first death. */}
                {death.at ? <>{death.count > 1 && "First "}<Moment at={death.at} /></> : "Once"}
              </strong> <bdi>{visible(sentence(death))}</bdi>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** A message as the API gives it. */
function AsJson({ of }: { of: Message }) {
  const text = JSON.stringify(of, null, 2);
  return (
    <div class="stack">
      <div class="row">
        <Copy text={text} />
      </div>
      <pre class="body" tabIndex={0} role="region" aria-label="The message as JSON" dir="ltr">
        {visibleText(text)}
      </pre>
    </div>
  );
}

function knownFacts(message: Message): [string, preact.ComponentChildren][] {
  const facts: [string, preact.ComponentChildren][] = [
    ["Exchange", <Name of={message.exchange} empty="(AMQP default)" />],
    ["Routing key", <Name of={message.routing_key} empty="(empty)" />],
    ["Size", size(message.payload_bytes)],
    ["Redelivered", message.redelivered ? "yes" : "no"],
  ];
  if (message.age_ms != null) facts.push(["In the queue for", `at least ${duration(message.age_ms)}`]);
  if (message.delivery_count != null) facts.push(["Deliveries that came back", count(message.delivery_count)]);
  if (message.expires_at) facts.push(["Expires", <FullMoment at={message.expires_at} />]);
  if (message.due_at) facts.push(["Due", <FullMoment at={message.due_at} />]);
  if (message.persistent !== undefined) facts.push(["Kept on disk", message.persistent ? "yes" : "no, gone with a restart"]);
  if (message.consumer) facts.push(["Held by", <Name of={message.consumer.consumer_tag ?? "basic.get"} />]);
  return facts;
}

function Body({ message }: { message: Message }) {
  const isCut = message.payload_truncated ?? false;
  const bytes = useMemo(() => bytesOf(message.payload, message.payload_encoding), [message.payload]);
  const kind = kindOf(bytes, isCut);
  const text = textOf(bytes, isCut);
  const views = [kind === "image" && "picture", kind === "json" && "tree", text !== undefined && "text", "hex"].filter((view): view is string => Boolean(view));
  const [chosen, setChosen] = useState<string>();
  const view = chosen && views.includes(chosen) ? chosen : views[0];
  if (message.payload === null) return <Note tone="warn">The body cannot be read from the disk.</Note>;
  if (message.payload_bytes === 0) return <p class="empty">The body is empty.</p>;
  return (
    <div class="stack">
      <div class="row">
        <div class="segments" role="group" aria-label="Show the body as">
          {views.map((one) => (
            <button key={one} type="button" aria-pressed={one === view} onClick={() => setChosen(one)}>
              {one}
            </button>
          ))}
        </div>
        <span class="faint">
          {size(message.payload_bytes)}
          {isCut && `, of which the first ${size(bytes.length)} are shown`}
        </span>
        {text !== undefined && <Copy text={text} />}
      </div>
      {view === "picture" && <Picture bytes={bytes} />}
      {view === "tree" && <JsonTree of={jsonOf(text ?? "")} />}
      {view === "text" && (
        <pre class="body" tabIndex={0} role="region" aria-label="Body as text" dir="auto">
          {visibleText((text ?? "").slice(0, TEXT_MAX))}
        </pre>
      )}
      {view === "hex" && (
        <pre class="body" tabIndex={0} role="region" aria-label="Body as hexadecimal numbers">
          {hexLines(bytes, HEX_MAX)}
        </pre>
      )}
      {bytes.length > (view === "hex" ? HEX_MAX : TEXT_MAX) && <Badge>cut off here</Badge>}
    </div>
  );
}

/** A text keeps its lines and tabs; everything else that hides is shown. */
function visibleText(text: string): string {
  return text.split(/([\n\t])/).map((part) => (part === "\n" || part === "\t" ? part : visible(part))).join("");
}

function Picture({ bytes }: { bytes: Uint8Array }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: imageType(bytes) ?? "" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes]);
  return url ? <img class="picture" src={url} alt="The body of the message" /> : null;
}
