import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Queue } from "../api/types";
import { path } from "../state/route";
import { Failure } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Choice, Text } from "../ui/fields";
import { counted } from "../ui/format";
import { tell } from "../ui/toast";
import { told } from "./queue-messages";

interface MoveProps {
  queue: Queue;
  refs: { position: number | undefined; id: number | undefined }[];
  onClose: () => void;
  after: () => void;
}

/** Moves chosen messages to another queue, or publishes them to an exchange. */
export function MoveDialog({ queue, refs, onClose, after }: MoveProps) {
  const [to, setTo] = useState("queue");
  const [target, setTarget] = useState("");
  const [key, setKey] = useState("");
  const [error, setError] = useState<unknown>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    const where = to === "queue" ? { queue: target } : { exchange: target, ...(key ? { routing_key: key } : {}) };
    try {
      const answer = await post<{ moved: number[]; not_found: number[]; refused: number[] }>(`/api/leveret/queues${path(queue.vhost, queue.name)}/messages/move`, { messages: refs, ...where });
      tell(told("moved", answer));
      after();
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title={`Move ${counted(refs.length, "message")}`} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <Choice
          label="To"
          value={to}
          onChange={setTo}
          choices={[
            ["queue", "a queue"],
            ["exchange", "an exchange"],
          ]}
        />
        <Text label={to === "queue" ? "Queue" : "Exchange"} value={target} onChange={setTarget} isRequired />
        {to === "exchange" && <Text label="Routing key" value={key} onChange={setKey} about="Empty: each message keeps its own." />}
        <Failure error={error} what="Not moved" />
        <footer class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Move
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
