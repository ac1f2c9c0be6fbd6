import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { DelayedList, Message } from "../api/leveret";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { path, place, queryText } from "../state/route";
import { useStore } from "../state/store";
import { Empty, Head, Loading, Moment, Name } from "../ui/basics";
import { ask, Dialog } from "../ui/dialog";
import { bytes, counted } from "../ui/format";
import { BodyButton, MessageView } from "../ui/message";
import { OffsetPager } from "../ui/offset-pager";
import { Table, type Column } from "../ui/table";
import { Unserved } from "../ui/unserved";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

const LIMIT = 100;

interface Done {
  done: number[];
  not_found: number[];
}

const messageKey = (message: Message) => `${message.due_at} ${message.id}`;

const columns = (onOpen: (message: Message) => void): Column<Message>[] => [
  { id: "due", title: "Due", cell: (message) => <Moment at={message.due_at} /> },
  { id: "exchange", title: "Exchange", cell: (message) => <Name of={message.exchange} /> },
  { id: "key", title: "Routing key", cell: (message) => <Name of={message.routing_key} empty="(empty)" /> },
  {
    id: "body",
    title: "Body",
    cell: (message) => <BodyButton of={message} onOpen={() => onOpen(message)} />,
  },
  { id: "size", title: "Size", isNumber: true, cell: (message) => bytes(message.payload_bytes) },
];

/** Messages that exchanges hold back until they are due. */
export function DelayedPage(_: PageProps) {
  const { query } = useStore(place);
  const filter = useStore(vhostFilter);
  const [vhost, setVhost] = useState(filter || "/");
  const [chosen, setChosen] = useState(new Set<string>());
  const [open, setOpen] = useState<Message>();
  const offset = Math.max(0, Number(query.get("offset")) || 0);
  const base = `/api/leveret/delayed${path(vhost)}`;
  const polled = usePoll<DelayedList>(`${base}${queryText({ offset, limit: LIMIT })}`, base);
  const list = polled.data;
  const picked = (list?.messages ?? []).filter((message) => chosen.has(messageKey(message)));
  const messages = picked.map(({ due_at, id }) => ({ due_at, id }));
  const after = () => {
    setChosen(new Set());
    polled.refresh();
  };
  const told = (word: string) => (answer: unknown) => {
    const { done, not_found } = answer as Done;
    return `${counted(done.length, "message")} ${word}.${not_found.length ? ` ${counted(not_found.length, "was", "were")} not there any more.` : ""}`;
  };
  return (
    <>
      <Head title="Delayed" about="Messages that exchanges of the type x-delayed-message hold back, the next one first." />
      <div class="filter">
        <VhostChoice value={vhost} onChange={setVhost} />
        <span class="faint" role="status">
          {list && counted(list.total, "message")}
        </span>
      </div>
      {picked.length > 0 && (
        <div class="selection" role="group" aria-label="What to do with the selected messages">
          <strong>{counted(picked.length, "message")} selected</strong>
          <button
            type="button"
            onClick={() =>
              ask({
                title: `Publish ${counted(picked.length, "message")} now?`,
                text: "They are routed at once, as if their delay were over.",
                act: "Publish now",
                isHarmless: true,
                run: () => post(`${base}/publish`, { messages }).finally(after),
                done: told("published"),
              })
            }
          >
            Publish now
          </button>
          <button
            type="button"
            class="danger-quiet"
            onClick={() =>
              ask({
                title: `Cancel ${counted(picked.length, "message")}?`,
                text: `${picked.length === 1 ? "It" : "They"} will never reach a queue, and ${picked.length === 1 ? "is" : "are"} gone for good.`,
                act: "Cancel messages",
                run: () => post(`${base}/cancel`, { messages }).finally(after),
                done: told("cancelled"),
              })
            }
          >
            Cancel
          </button>
        </div>
      )}
      <Unserved error={polled.error} what="Delayed messages" />
      {!list && !polled.error && <Loading />}
      {list?.messages.length === 0 && <Empty>Nothing is held back.</Empty>}
      {list && list.messages.length > 0 && (
        <Table label="Delayed messages" columns={columns(setOpen)} rows={list.messages} rowKey={messageKey} rowName={(message) => `message ${message.id}`} selected={chosen} onSelect={setChosen} />
      )}
      {list && <OffsetPager offset={offset} shown={list.messages.length} total={list.total} next={list.next_offset} limit={LIMIT} back="Sooner" on="Later" />}
      {open && (
        <Dialog title="Delayed message" onClose={() => setOpen(undefined)} wide>
          <MessageView message={open} />
        </Dialog>
      )}
    </>
  );
}
