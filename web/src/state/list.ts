import type { Page } from "../api/types";
import type { Order } from "../ui/table";
import { usePoll, type Polled } from "./poll";
import { vhostFilter } from "./preferences";
import { adjust, path, place, queryText } from "./route";
import { useStore } from "./store";

export interface ListState {
  page: number;
  pageSize: number;
  name: string;
  isRegex: boolean;
  order: Order;
}

/** What a list shows is part of its address, so that it can be sent to somebody, and found again. */
export function listState(query: URLSearchParams, order: Order): ListState {
  const whole = (name: string, otherwise: number) => {
    const value = Number(query.get(name));
    return Number.isInteger(value) && value > 0 ? value : otherwise;
  };
  return {
    page: whole("page", 1),
    pageSize: Math.min(whole("page_size", 100), 500),
    name: query.get("name") ?? "",
    isRegex: query.get("use_regex") === "true",
    order: query.has("sort") ? { sort: query.get("sort") ?? "", isReversed: query.get("sort_reverse") === "true" } : order,
  };
}

interface ListOptions {
  order?: Order;
  /** Whether the path takes a virtual host behind it. */
  isByVhost?: boolean;
  query?: Record<string, string | number>;
  /** What the first answer has beside, and later ones need not. */
  first?: Record<string, string | number>;
  /** The keys that the list shows: the broker makes no others. */
  columns?: string[];
}

/** A list that the broker cuts into pages. */
export function useList<T>(resource: string, options: ListOptions = {}): { state: ListState; polled: Polled<Page<T>>; vhost: string } {
  const { query } = useStore(place);
  const vhost = useStore(vhostFilter);
  const state = listState(query, options.order ?? { sort: "", isReversed: false });
  const base = `/api/${resource}${options.isByVhost !== false && vhost ? path(vhost) : ""}`;
  const asked = (more: Record<string, string | number> = {}) => queryText({
    page: state.page,
    page_size: state.pageSize,
    name: state.name,
    use_regex: state.name ? state.isRegex : undefined,
    sort: state.order.sort,
    sort_reverse: state.order.isReversed,
    columns: options.columns && [...new Set(options.columns)].join(),
    ...options.query,
    ...more,
  });
  return { state, vhost, polled: usePoll<Page<T>>(base + asked(options.first), base, { then: base + asked() }) };
}

export const listActs = {
  order: (order: Order) => adjust({ sort: order.sort, sort_reverse: order.isReversed, page: undefined }),
  page: (page: number) => adjust({ page: page === 1 ? undefined : page }),
  pageSize: (size: number) => adjust({ page_size: size === 100 ? undefined : size, page: undefined }),
  name: (name: string) => adjust({ name, page: undefined }),
  regex: (isRegex: boolean) => adjust({ use_regex: isRegex, page: undefined }),
};
