import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Peeked } from "../api/leveret";
import { queryText } from "./route";
import { goOn, isFull, SEARCHED_BYTES, START, step, type Search } from "./search";

/** What is typed is searched for when the fingers rest. */
const REST_MS = 300;

export interface Searching {
  search: Search;
  isRunning: boolean;
  error: unknown;
  stop(): void;
  goOn(): void;
  again(): void;
}

/** Searches the messages of a queue that are in a state; nothing while no text is wanted. */
export function useSearch(base: string, state: string, wanted: string): Searching {
  const [search, setSearch] = useState(START);
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<unknown>();
  const latest = useRef(START);
  const keep = (next: Search) => {
    latest.current = next;
    setSearch(next);
  };
  const again = () => {
    keep(START);
    setError(undefined);
    setRunning(true);
  };
  useEffect(() => {
    keep(START);
    setError(undefined);
    setRunning(false);
    if (wanted === "") return;
    const timer = setTimeout(() => setRunning(true), REST_MS);
    return () => clearTimeout(timer);
  }, [base, state, wanted]);
  useEffect(() => {
    if (!isRunning) return;
    const abort = new AbortController();
    const run = async () => {
      while (latest.current.next !== null && !isFull(latest.current)) {
        const { next, limit } = latest.current;
        const page = await get<Peeked>(`${base}/peek${queryText({ state, offset: next, limit, truncate: SEARCHED_BYTES })}`, abort.signal);
        if (abort.signal.aborted) return;
        keep(step(latest.current, page, wanted));
      }
      setRunning(false);
    };
    run().catch((failure: unknown) => {
      if (abort.signal.aborted) return;
      setError(failure);
      setRunning(false);
    });
    return () => abort.abort();
  }, [isRunning, base, state, wanted]);
  return {
    search,
    isRunning,
    error,
    stop: () => setRunning(false),
    goOn: () => {
      keep(goOn(latest.current));
      setRunning(true);
    },
    again,
  };
}
