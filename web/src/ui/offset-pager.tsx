import { adjust } from "../state/route";
import { count } from "./format";

interface OffsetPagerProps {
  offset: number;
  shown: number;
  total: number;
  next: number | null;
  /** So many a page. */
  limit: number;
  back: string;
  on: string;
}

/** Turns the pages of a list of messages: its place is in the address. */
export function OffsetPager({ offset, shown, total, next, limit, back, on }: OffsetPagerProps) {
  if (offset === 0 && next === null) return null;
  return (
    <nav class="pager" aria-label="Pages of messages">
      <button type="button" disabled={offset === 0} onClick={() => adjust({ offset: Math.max(0, offset - limit) || undefined })}>
        {back}
      </button>
      <span>
        {count(offset + 1)} to {count(offset + shown)} of {count(total)}
      </span>
      <button type="button" disabled={next === null} onClick={() => adjust({ offset: next ?? undefined })}>
        {on}
      </button>
    </nav>
  );
}
