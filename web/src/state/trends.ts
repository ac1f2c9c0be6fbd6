import type { Sample } from "../api/types";

/** How far back a trend reaches, and how far its values are apart: as the broker keeps them. */
const KEPT_MS = 60_000;
const STEP_MS = 5000;

/** A row of a list at one moment. */
export interface Noted {
  key: string;
  value: number;
  /** What came before, the latest first, if the broker was asked for it. */
  samples?: Sample[] | undefined;
}

/**
 * What the rows of a list were in the last minute. The broker is asked for it once; what comes later is added here, so that a list that
 * stays open costs little.
 */
export class Trends {
  /** When a value began to hold, oldest first. */
  private readonly known = new Map<string, { at: number; value: number }[]>();

  /** Takes down the rows of one answer; what is not among them any more is forgotten. */
  note(rows: Noted[], at: number): void {
    const keys = new Set(rows.map((row) => row.key));
    for (const key of [...this.known.keys()]) if (!keys.has(key)) this.known.delete(key);
    for (const { key, value, samples } of rows) {
      const moments = samples?.length ? fromSamples(samples, at) : (this.known.get(key) ?? []);
      if (moments.at(-1)?.value !== value) moments.push({ at, value });
      // The last one before the minute holds at its beginning.
      while (moments.length > 1 && (moments[1]?.at ?? at) <= at - KEPT_MS) moments.shift();
      this.known.set(key, moments);
    }
  }

  /** The values of a row in the minute before, oldest first; fewer where it is not known for so long. */
  of(key: string, at: number): number[] {
    const moments = this.known.get(key) ?? [];
    const values: number[] = [];
    for (let time = at - KEPT_MS; time <= at; time += STEP_MS) {
      const value = moments.findLast((moment) => moment.at <= time)?.value;
      if (value !== undefined) values.push(value);
    }
    return values;
  }
}

/** The broker's clock may be another one: only how long before its last sample a sample was taken counts. */
function fromSamples(samples: Sample[], at: number): { at: number; value: number }[] {
  const last = samples[0]?.timestamp ?? 0;
  return samples.map((one) => ({ at: at - (last - one.timestamp), value: one.sample })).reverse();
}
