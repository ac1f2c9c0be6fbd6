import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Redriven } from "../api/leveret";
import type { Queue } from "../api/types";
import { path } from "../state/route";
import { Failure, Name, Note } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Choice, Text } from "../ui/fields";
import { count, counted } from "../ui/format";
import { tell } from "../ui/toast";

interface RedriveProps {
  queue: Queue;
  onClose: () => void;
  after: () => void;
}

/** Sends dead letters back to where they came from: first it says what would be done. */
export function RedriveDialog({ queue, onClose, after }: RedriveProps) {
  const [to, setTo] = useState("queue");
  const [destination, setDestination] = useState("");
  const [reason, setReason] = useState("");
  const [limit, setLimit] = useState("1000");
  const [plan, setPlan] = useState<Redriven>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);

  const body = (isDry: boolean) => ({
    ...(to === "other" ? { destination_queue: destination } : { to }),
    ...(reason ? { filter: { reason } } : {}),
    limit: Number(limit),
    dry_run: isDry,
  });
  const run = async (isDry: boolean) => {
    setError(undefined);
    setBusy(true);
    try {
      const answer = await post<Redriven>(`/api/leveret/queues${path(queue.vhost, queue.name)}/redrive`, body(isDry));
      if (isDry) {
        setPlan(answer);
      } else {
        tell(`${counted(answer.redriven, "message")} sent. ${counted(answer.skipped, "stays", "stay")}.`);
        after();
        onClose();
      }
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const change = <T,>(set: (value: T) => void) => (value: T) => {
    setPlan(undefined);
    set(value);
  };
  return (
    <Dialog title={`Send messages of '${queue.name}' elsewhere`} onClose={onClose}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), void run(!plan))}>
        <Choice
          label="Where to"
          value={to}
          onChange={change(setTo)}
          choices={[
            ["queue", "Back to the queue in which each one died"],
            ["exchange", "Back to the exchange and routing key with which each one came there"],
            ["other", "To another queue, also those that never died"],
          ]}
        />
        {to === "other" && <Text label="Queue" value={destination} onChange={change(setDestination)} isRequired />}
        <div class="grid-2">
          <Choice
            label="Only those that"
            value={reason}
            onChange={change(setReason)}
            choices={[
              ["", "– all –"],
              ["rejected", "were rejected"],
              ["expired", "expired"],
              ["maxlen", "were pushed out of a full queue"],
              ["delivery_limit", "were delivered too often"],
            ]}
          />
          <Text label="At most, messages" type="number" value={limit} onChange={change(setLimit)} />
        </div>
        {plan && <Plan plan={plan} />}
        <Failure error={error} what="Not done" />
        <footer class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy || plan?.redriven === 0}>
            {plan ? `Send ${counted(plan.redriven, "message")}` : "See what would be done"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function Plan({ plan }: { plan: Redriven }) {
  return (
    <Note>
      <p>
        Of {counted(plan.examined, "message")}, {count(plan.redriven)} would be sent, and {count(plan.skipped)} would stay. Nothing is done yet.
      </p>
      <ul>
        {plan.destinations.map((one) => (
          <li key={`${one.exchange} ${one.routing_key}`}>
            {count(one.count)} to {one.exchange === "" ? "queue " : "exchange "}
            <Name of={one.exchange || one.routing_key} />
            {one.exchange !== "" && (
              <>
                {" "}
                with routing key <Name of={one.routing_key} empty="(empty)" />
              </>
            )}
          </li>
        ))}
        {plan.reasons.map((one) => (
          <li key={one.reason}>
            {counted(one.count, "stays", "stay")}: {one.reason}
          </li>
        ))}
      </ul>
    </Note>
  );
}
