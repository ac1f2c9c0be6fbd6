import { rangeChoice } from "./preferences";
import { useStore } from "./store";

/** How far back charts reach: RabbitMQ's choices. The broker keeps samples of a day. */
export interface Range {
  title: string;
  /** Seconds back. */
  age: number;
  /** Seconds between samples. */
  step: number;
}

export const RANGES: Range[] = [
  { title: "1 min", age: 60, step: 5 },
  { title: "10 min", age: 600, step: 5 },
  { title: "1 h", age: 3600, step: 60 },
  { title: "8 h", age: 28_800, step: 600 },
  { title: "1 day", age: 86_400, step: 1800 },
];
const USUAL: Range = { title: "10 min", age: 600, step: 5 };

/** The range that was chosen, for all charts. */
export function useRange(): Range {
  const title = useStore(rangeChoice);
  return RANGES.find((range) => range.title === title) ?? USUAL;
}

/** What the API is asked for samples of this range. */
export function sampled(range: Range, ...kinds: ("lengths" | "msg_rates" | "data_rates" | "node_stats")[]): Record<string, number> {
  return Object.fromEntries(kinds.flatMap((kind) => [[`${kind}_age`, range.age], [`${kind}_incr`, range.step]]));
}
