import type { Details } from "../api/types";

/** Values over time, oldest first. */
export interface Series {
  times: number[];
  values: (number | null)[];
}

/** The samples of a length, as the API gives them: the latest first. */
export function lengths(details: Details | undefined): Series {
  const samples = [...(details?.samples ?? [])].reverse();
  return { times: samples.map((one) => one.timestamp), values: samples.map((one) => one.sample) };
}

/** How fast a counter grew between its samples. */
export function rates(details: Details | undefined): Series {
  const samples = [...(details?.samples ?? [])].reverse();
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (let at = 1; at < samples.length; at += 1) {
    const [before, after] = [samples[at - 1], samples[at]];
    if (!before || !after) continue;
    const seconds = (after.timestamp - before.timestamp) / 1000;
    times.push(after.timestamp);
    values.push(seconds > 0 ? Math.max(0, (after.sample - before.sample) / seconds) : null);
  }
  return { times, values };
}

/** Several series over the same times. */
export interface Aligned {
  times: number[];
  values: (number | null)[][];
}

/** Several series over the times that any of them has. */
export function aligned(series: Series[]): Aligned {
  const times = [...new Set(series.flatMap((one) => one.times))].sort((a, b) => a - b);
  const values = series.map((one) => {
    const known = new Map(one.times.map((time, at) => [time, one.values[at] ?? null]));
    return times.map((time) => known.get(time) ?? null);
  });
  return { times, values };
}

/** What was sampled since then. */
export function since(all: Aligned, start: number): Aligned {
  const first = all.times.findIndex((time) => time >= start);
  if (first <= 0) return all;
  return { times: all.times.slice(first), values: all.values.map((one) => one.slice(first)) };
}

/** What came before anything did is left out, but for the last moment of it: the broker has no samples of what was not there yet. */
export function fromFirst(all: Aligned): Aligned {
  const first = all.times.findIndex((_, at) => all.values.some((series) => (series[at] ?? 0) !== 0));
  return first <= 1 ? all : since(all, all.times[first - 1] ?? 0);
}
