import { useState } from "preact/hooks";
import { put } from "../api/client";
import { path } from "../state/route";
import { Area, Check, Choice, Text, readObject } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { tell } from "../ui/toast";
import { VhostChoice } from "./vhost-choice";

interface NewQueueProps {
  vhost: string;
  onClose: () => void;
  after: () => void;
}

/** Arguments that people use most, with what they take. */
const COMMON: [string, string, "number" | "text"][] = [
  ["x-dead-letter-exchange", "Dead letters to exchange", "text"],
  ["x-dead-letter-routing-key", "Dead letters with routing key", "text"],
  ["x-message-ttl", "Messages live, ms", "number"],
  ["x-max-length", "At most so many messages", "number"],
  ["x-delivery-limit", "Delivery limit", "number"],
];

export function NewQueue({ vhost, onClose, after }: NewQueueProps) {
  const [where, setWhere] = useState(vhost || "/");
  const [name, setName] = useState("");
  const [type, setType] = useState("classic");
  const [durable, setDurable] = useState(true);
  const [autoDelete, setAutoDelete] = useState(false);
  const [common, setCommon] = useState<Record<string, string>>({});
  const [other, setOther] = useState("");

  const run = async () => {
    const given: Record<string, unknown> = { "x-queue-type": type, ...readObject(other) };
    for (const [key, , kind] of COMMON) {
      const value = common[key];
      if (value) given[key] = kind === "number" ? Number(value) : value;
    }
    await put(`/api/queues${path(where, name)}`, { durable, auto_delete: autoDelete, arguments: given });
    tell(`Queue '${name}' is there.`);
    after();
  };

  return (
    <FormDialog title="New queue" act="Make queue" failed="Not made" run={run} onClose={onClose}>
      <Text label="Name" value={name} onChange={setName} isRequired />
      <VhostChoice value={where} onChange={setWhere} />
      <Choice label="Type" value={type} onChange={setType} choices={["classic", "quorum"]} />
      <div class="row">
        <Check label="Durable: survives a restart" value={durable} onChange={setDurable} />
        <Check label="Deleted with its last consumer" value={autoDelete} onChange={setAutoDelete} />
      </div>
      <details>
        <summary>Arguments</summary>
        <div class="stack">
          <div class="grid-2">
            {COMMON.map(([key, label, kind]) => (
              <Text
                key={key}
                label={label}
                about={<code>{key}</code>}
                type={kind}
                value={common[key] ?? ""}
                onChange={(value) => setCommon({ ...common, [key]: value })}
              />
            ))}
          </div>
          <Area label="Others, as a JSON object" value={other} onChange={setOther} rows={3} placeholder='{"x-max-priority": 10}' />
        </div>
      </details>
    </FormDialog>
  );
}
