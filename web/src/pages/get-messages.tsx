import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Message } from "../api/leveret";
import type { Queue } from "../api/types";
import { path } from "../state/route";
import { Empty, Failure, Name } from "../ui/basics";
import { Choice, Text } from "../ui/fields";
import { bytes, count } from "../ui/format";
import { MessageView } from "../ui/message";

const MODES: [string, string][] = [
  ["ack_requeue_true", "Put back, at its place (marked as redelivered)"],
  ["reject_requeue_true", "Reject and put back"],
  ["ack_requeue_false", "Take out: acknowledge"],
  ["reject_requeue_false", "Take out: reject (becomes a dead letter)"],
];

type Got = Message & { message_count: number };

/** `basic.get`, with all that it does to a message. */
export function GetMessages({ queue, after }: { queue: Queue; after: () => void }) {
  const [mode, setMode] = useState("ack_requeue_true");
  const [most, setMost] = useState("1");
  const [got, setGot] = useState<Got[]>();
  const [error, setError] = useState<unknown>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    try {
      const body = { ackmode: mode, count: Number(most), encoding: "auto", truncate: 1_048_576 };
      const messages = await post<Got[]>(`/api/queues${path(queue.vhost, queue.name)}/get`, body);
      setGot(messages.map((message) => ({ ...message, payload_truncated: message.payload_bytes > 1_048_576 })));
      after();
    } catch (failure) {
      setError(failure);
    }
  };
  const takes = mode.endsWith("false");
  return (
    <div class="stack">
      <form class="row" onSubmit={submit}>
        <Choice label="Then" value={mode} onChange={setMode} choices={MODES} />
        <Text label="At most, messages" type="number" value={most} onChange={setMost} />
        <button type="submit" class={takes ? "danger" : "primary"}>
          {takes ? "Take messages out" : "Get messages"}
        </button>
      </form>
      <Failure error={error} what="Not done" />
      {got && got.length === 0 && <Empty>The queue is empty.</Empty>}
      {got?.map((message, at) => (
        <article key={at} class="form-box">
          <h3>
            Message {count(at + 1)} <span class="faint">{bytes(message.payload_bytes)}, {count(message.message_count)} behind it, routing key </span>
            <Name of={message.routing_key} empty="(empty)" />
          </h3>
          <MessageView message={message} />
        </article>
      ))}
    </div>
  );
}
