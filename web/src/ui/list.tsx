import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Page } from "../api/types";
import { listActs, type ListState } from "../state/list";
import type { Polled } from "../state/poll";
import { Empty, Failure, Loading } from "./basics";
import { count, counted } from "./format";

/** Typing waits for nobody: what is typed is shown at once, and asked for when the fingers rest. */
const REST_MS = 200;

interface FilterProps {
  label: string;
  state: ListState;
  page: Page<unknown> | undefined;
  things: [string, string];
  children?: ComponentChildren;
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/** Filters a list by name, and says how many there are. */
export function Filter({ label, state, page, things, children }: FilterProps) {
  const [typed, setTyped] = useState(state.name);
  const asked = useRef(state.name);
  useEffect(() => {
    if (typed === state.name) return;
    const timer = setTimeout(() => {
      asked.current = typed;
      listActs.name(typed);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    // Only what came from elsewhere, as by "Back": what was asked for from here may be followed by more letters already.
    if (state.name === asked.current) return;
    asked.current = state.name;
    setTyped(state.name);
  }, [state.name]);
  const isWrong = state.isRegex && !isRegex(typed);
  const found = page && (state.name ? `${count(page.filtered_count)} of ${counted(page.total_count, ...things)}` : counted(page.total_count, ...things));
  return (
    <div class="filter" role="search">
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        value={typed}
        aria-invalid={isWrong}
        spellcheck={false}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <label class="check">
        <input type="checkbox" checked={state.isRegex} onChange={(event) => listActs.regex(event.currentTarget.checked)} />
        <span>Regex</span>
      </label>
      <span class="faint" role="status">
        {isWrong ? "This is no regular expression." : found}
      </span>
      <span class="spring" />
      {children}
    </div>
  );
}

/** Turns the pages of a list. */
export function Pager({ state, page }: { state: ListState; page: Page<unknown> | undefined }) {
  if (!page || (page.page_count <= 1 && page.total_count <= 25)) return null;
  const last = Math.max(page.page_count, 1);
  return (
    <nav class="pager" aria-label="Pages of the list">
      <button type="button" disabled={page.page <= 1} onClick={() => listActs.page(page.page - 1)}>
        Previous
      </button>
      <span>
        Page {count(page.page)} of {count(last)}
      </span>
      <button type="button" disabled={page.page >= last} onClick={() => listActs.page(page.page + 1)}>
        Next
      </button>
      <label>
        <select value={String(state.pageSize)} onChange={(event) => listActs.pageSize(Number(event.currentTarget.value))}>
          {[25, 50, 100, 200, 500].map((size) => (
            <option key={size} value={String(size)}>
              {size}
            </option>
          ))}
        </select>{" "}
        a page
      </label>
    </nav>
  );
}

interface ListedProps<T> {
  polled: Polled<Page<T>>;
  state: ListState;
  what: string;
  none: ComponentChildren;
  children: (rows: T[]) => ComponentChildren;
}

/** The rows of a list; or why there are none. */
export function Listed<T>({ polled, state, what, none, children }: ListedProps<T>) {
  const isGone = polled.error?.word === "page_out_of_range";
  useEffect(() => {
    if (isGone) listActs.page(1);
  }, [isGone]);
  const rows = polled.data?.items;
  return (
    <>
      {!isGone && !polled.error?.isUnreachable && <Failure error={polled.error} what={`Cannot show ${what}`} />}
      {!rows && !polled.error && <Loading />}
      {rows && rows.length > 0 && children(rows)}
      {rows && rows.length === 0 && (state.name ? <Empty>Nothing matches '{state.name}'.</Empty> : <Empty>{none}</Empty>)}
      <Pager state={state} page={polled.data} />
    </>
  );
}
