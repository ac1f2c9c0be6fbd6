import type { ComponentChildren } from "preact";
import { Section } from "./basics";
import { Chart, type Line } from "./chart";
import { fromFirst, type Aligned } from "./samples";

interface ChartSectionProps {
  title: string;
  aside?: ComponentChildren;
  all: Aligned;
  /** How the values are drawn, in their order. */
  lines: Omit<Line, "values">[];
  format: (value: number | null | undefined) => string;
}

/** A section with lines over time. */
export function ChartSection({ title, aside, all: samples, lines, format }: ChartSectionProps) {
  const all = fromFirst(samples);
  return (
    <Section title={title} aside={aside}>
      <Chart label={title} times={all.times} format={format} lines={lines.map((line, at) => ({ ...line, values: all.values[at] ?? [] }))} />
    </Section>
  );
}

export const READY = { title: "Ready", colour: "--chart-ready", isFilled: true };
export const UNACKED = { title: "Unacked", colour: "--chart-unacked" };
export const IN = { title: "In", colour: "--chart-in", isFilled: true };
export const OUT = { title: "Out", colour: "--chart-out" };
export const ACKNOWLEDGED = { title: "Acknowledged", colour: "--chart-ack" };
export const REDELIVERED = { title: "Redelivered", colour: "--chart-redelivered", isDashed: true };
export const UNROUTABLE = { title: "Unroutable", colour: "--chart-lost", isDashed: true };
