import { rangeChoice } from "./preferences";
import { useStore } from "./store";

/** How far back charts reach: RabbitMQ's choices. The broker keeps samples of a day. */
export interface Range {
  title: string;
  /** Seconds back. */
  age: number;
  /** Seconds between samples of the whole broker, which keeps all of the last hour. */
  step: number;
  /** Seconds between samples of one queue or the like: one a minute is kept, and all of the last minute. More of them would be steps. */
  stepOfOne: number;
}

const USUAL: Range = { title: "10 min", age: 600, step: 5, stepOfOne: 60 };
export const RANGES: Range[] = [
  { title: "1 min", age: 60, step: 5, stepOfOne: 5 },
  USUAL,
  { title: "1 h", age: 3600, step: 60, stepOfOne: 60 },
  { title: "8 h", age: 28_800, step: 600, stepOfOne: 600 },
  { title: "1 day", age: 86_400, step: 1800, stepOfOne: 1800 },
];

/** The range that was chosen, for all charts. */
export function useRange(): Range {
  const title = useStore(rangeChoice);
  return RANGES.find((range) => range.title === title) ?? USUAL;
}

type Kind = "lengths" | "msg_rates" | "data_rates" | "node_stats";

const asked = (age: number, step: number, kinds: Kind[]) => Object.fromEntries(kinds.flatMap((kind) => [[`${kind}_age`, age], [`${kind}_incr`, step]]));

/** What the API is asked for samples of the whole broker. */
export const ofBroker = (range: Range, ...kinds: Kind[]): Record<string, number> => asked(range.age, range.step, kinds);

/** Of one object a minute is kept: a sample of its very beginning would be older than that, and what came since look like a burst. */
const FINE_SECONDS = 55;

/** What the API is asked for samples of one queue, exchange, connection or channel. */
export function ofOne(range: Range, ...kinds: Kind[]): Record<string, number> {
  const isFine = range.stepOfOne === 5;
  return asked(isFine ? FINE_SECONDS : range.age, range.stepOfOne, kinds);
}
