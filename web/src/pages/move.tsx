import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Queue } from "../api/types";
import { path } from "../state/route";
import { Choice, Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { counted } from "../ui/format";
import { tell } from "../ui/toast";
import { told } from "./queue-messages";

/** What `peek` calls a message by. */
export interface MessageRef {
  position: number | undefined;
  id: number | undefined;
}

interface MoveProps {
  queue: Queue;
  refs: MessageRef[];
  onClose: () => void;
  after: () => void;
}

/** Moves chosen messages to another queue, or publishes them to an exchange. */
export function MoveDialog({ queue, refs, onClose, after }: MoveProps) {
  const [to, setTo] = useState("queue");
  const [target, setTarget] = useState("");
  const [key, setKey] = useState("");
  const run = async () => {
    const where = to === "queue" ? { queue: target } : { exchange: target, ...(key ? { routing_key: key } : {}) };
    const answer = await post<{ moved: number[]; not_found: number[]; refused: number[] }>(`/api/leveret/queues${path(queue.vhost, queue.name)}/messages/move`, { messages: refs, ...where });
    tell(told("moved", answer));
    after();
  };
  return (
    <FormDialog title={`Move ${counted(refs.length, "message")}`} act="Move" failed="Not moved" run={run} onClose={onClose}>
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
    </FormDialog>
  );
}
