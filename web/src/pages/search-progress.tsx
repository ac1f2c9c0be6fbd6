import { isFull } from "../state/search";
import type { Searching } from "../state/use-search";
import { Failure } from "../ui/basics";
import { count, counted } from "../ui/format";

/** How far a search through a queue has come, and what can be done about it. */
export function SearchProgress({ searching, isConsumed }: { searching: Searching; isConsumed: boolean }) {
  const { search, isRunning } = searching;
  const isOver = search.next === null;
  return (
    <div class="row search-progress">
      <span role="status">
        <strong>{counted(search.found.length, "message has", "messages have")} this text</strong>
        <span class="faint">
          , {count(search.looked)} of {count(search.total)} searched
        </span>
      </span>
      {isRunning && (
        <>
          <progress max={Math.max(search.total, 1)} value={search.looked} aria-label="Messages searched" />
          <button type="button" class="small" onClick={searching.stop}>
            Stop
          </button>
        </>
      )}
      {!isRunning && !isOver && (
        <button type="button" class="small" onClick={searching.goOn}>
          {isFull(search) ? "Find more" : "Go on"}
        </button>
      )}
      {!isRunning && isOver && (
        <button type="button" class="small" onClick={searching.again}>
          Search again
        </button>
      )}
      <span class="faint">
        The first 16 KiB of each body are searched.{isConsumed && " Consumers take messages meanwhile: some may be passed over."}
      </span>
      <Failure error={searching.error} what="The search ended" />
    </div>
  );
}
