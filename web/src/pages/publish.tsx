import { useState } from "preact/hooks";
import { post } from "../api/client";
import { path } from "../state/route";
import { Failure, Note } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Area, Choice, Text, readObject } from "../ui/fields";
import { bytes } from "../ui/format";
import { tell } from "../ui/toast";

interface PublishProps {
  vhost: string;
  exchange: string;
  routingKey: string;
  onClose: () => void;
  after?: () => void;
}

/** Publishes one message, and says whether a queue took it. */
export function PublishDialog({ vhost, exchange, routingKey, onClose, after }: PublishProps) {
  const [key, setKey] = useState(routingKey);
  const [payload, setPayload] = useState("");
  const [encoding, setEncoding] = useState("string");
  const [mode, setMode] = useState("2");
  const [contentType, setContentType] = useState("");
  const [headers, setHeaders] = useState("");
  const [others, setOthers] = useState("");
  const [error, setError] = useState<unknown>();
  const [isLost, setLost] = useState(false);
  const isQueue = exchange === "";

  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    setLost(false);
    try {
      const properties: Record<string, unknown> = { ...readObject(others), delivery_mode: Number(mode) };
      if (contentType) properties["content_type"] = contentType;
      if (headers.trim()) properties["headers"] = readObject(headers);
      const body = { routing_key: key, properties, payload, payload_encoding: encoding };
      const answer = await post<{ routed: boolean }>(`/api/exchanges${path(vhost, exchange || "amq.default")}/publish`, body);
      after?.();
      if (answer.routed) {
        tell("Published: a queue took the message.");
        onClose();
      } else {
        setLost(true);
      }
    } catch (failure) {
      setError(failure);
    }
  };

  return (
    <Dialog title={isQueue ? `Publish to queue '${routingKey}'` : `Publish to exchange '${exchange}'`} onClose={onClose} wide>
      <form class="stack" onSubmit={submit}>
        {!isQueue && <Text label="Routing key" value={key} onChange={setKey} />}
        <Area label={`Body (${bytes(new TextEncoder().encode(payload).length)})`} value={payload} onChange={setPayload} rows={8} />
        <div class="grid-2">
          <Choice
            label="The body above is"
            value={encoding}
            onChange={setEncoding}
            choices={[
              ["string", "text"],
              ["base64", "base64"],
            ]}
          />
          <Choice
            label="Delivery mode"
            value={mode}
            onChange={setMode}
            choices={[
              ["2", "2, persistent"],
              ["1", "1, transient"],
            ]}
          />
          <Text label="Content type" value={contentType} onChange={setContentType} placeholder="application/json" />
          <Area label="Headers, as a JSON object" value={headers} onChange={setHeaders} rows={2} placeholder='{"kind": "report"}' />
        </div>
        <details>
          <summary>Other properties</summary>
          <Area
            label="As a JSON object"
            value={others}
            onChange={setOthers}
            rows={3}
            about="priority, correlation_id, reply_to, expiration (a text, in ms), message_id, timestamp (seconds), type, user_id, app_id"
          />
        </details>
        <Failure error={error} what="Not published" />
        {isLost && <Note tone="warn">No queue took this message: no binding of the exchange matches. It is gone.</Note>}
        <footer class="buttons">
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" class="primary">
            Publish
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
