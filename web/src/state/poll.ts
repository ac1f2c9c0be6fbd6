import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getAgain, type Tagged } from "../api/client";
import { refreshSeconds } from "./preferences";
import { createStore, useStore } from "./store";

export interface Polled<T> {
  data: T | undefined;
  error: ApiError | undefined;
  /** When the broker said so, or that it is still so, in milliseconds. */
  at: number;
  refresh(): void;
}

/** What stays the same is asked for more and more seldom, but not more seldom than by this factor. */
const SLOWNESS_MAX = 4;
/** Where something else says whether there is anything new, it is asked so seldom without it. */
const STILL_MS = 30_000;
/** After an answer that did not come, the next one is asked for so soon. */
const RETRY_MS = 2000;

/** Moves when somebody wants to know now: everything that is shown is asked for anew. */
export const asking = createStore(0);

export const askNow = () => asking.set(asking.get() + 1);

interface Options {
  /** Not more often than this, whatever was chosen. */
  atLeastMs?: number;
  /** Once, and again only on demand. */
  once?: boolean;
  /** After the first answer this path is asked for instead, which wants less of the same. */
  then?: string;
  /** Moves when there may be something new: as long as it stands still, it is asked seldom. */
  moves?: string;
}

/**
 * Asks for a path again and again, as often as was chosen, while the page is seen. What was there is kept while something else of the
 * same `subject` is asked for, so that a list does not blink while one types; and when no answer comes.
 */
export function usePoll<T>(path: string | null, subject: string = path ?? "", options: Options = {}): Polled<T> {
  const seconds = useStore(refreshSeconds);
  const demand = useStore(asking);
  const [state, setState] = useState<{ subject: string; data?: T; error?: ApiError; at: number }>({ subject, at: 0 });
  const [turn, setTurn] = useState(0);
  const isOnce = options.once ?? false;
  const atLeastMs = options.atLeastMs ?? 0;
  const then = options.then ?? path;
  const moves = useRef(options.moves);
  moves.current = options.moves;
  const pauseMs = seconds === 0 || isOnce ? Infinity : Math.max(seconds * 1000, atLeastMs);

  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isSeen = false;
    let known: (Tagged<T> & { path: string }) | undefined;
    let moved = moves.current;
    let askedAt = 0;
    let slowness = 1;
    const isStill = () => moves.current !== undefined && moves.current === moved && Date.now() - askedAt < STILL_MS;
    const later = (ms: number) => {
      if (Number.isFinite(ms)) timer = setTimeout(look, ms);
    };
    const look = async () => {
      if (document.hidden) return;
      if (known && isStill()) return later(pauseMs);
      isSeen = true;
      const asked = (known && then) || path;
      try {
        moved = moves.current;
        askedAt = Date.now();
        const answer = await getAgain<T>(asked, known?.path === asked ? known : undefined, abort.signal);
        slowness = known?.data === answer.data ? Math.min(slowness * 2, SLOWNESS_MAX) : 1;
        known = { ...answer, path: asked };
        setState({ subject, data: answer.data, at: Date.now() });
        later(pauseMs * slowness);
      } catch (error) {
        if (abort.signal.aborted) return;
        const failure = error instanceof ApiError ? error : new ApiError(-1, "unreadable", String(error), path);
        setState((old) => ({ subject, data: old.subject === subject ? old.data : undefined, error: failure, at: old.at }));
        later(failure.isUnreachable ? RETRY_MS : pauseMs);
      }
    };
    const onVisible = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      // What was opened behind another tab was never asked for.
      if (Number.isFinite(pauseMs) || !isSeen) void look();
    };
    document.addEventListener("visibilitychange", onVisible);
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, then, subject, pauseMs, turn, demand]);

  const turnRef = useRef(setTurn);
  const refresh = useCallback(() => turnRef.current((turn) => turn + 1), []);
  const isCurrent = state.subject === subject;
  return {
    data: isCurrent ? state.data : undefined,
    error: isCurrent ? state.error : undefined,
    at: isCurrent ? state.at : 0,
    refresh,
  };
}
