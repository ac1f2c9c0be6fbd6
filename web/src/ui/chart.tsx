import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { themeChanged } from "../state/preferences";
import { useStore } from "../state/store";
import { bytes, count } from "./format";

export interface Line {
  title: string;
  /** The name of a colour of the style sheet, such as `--chart-ready`. */
  colour: string;
  values: (number | null)[];
  isFilled?: boolean;
  isDashed?: boolean;
}

interface ChartProps {
  label: string;
  /** Milliseconds since 1970. */
  times: number[];
  lines: Line[];
  format: (value: number | null | undefined) => string;
  height?: number;
}

/** Steps of a scale of bytes: what is counted in KiB has no round thousands. */
const BYTES = Array.from({ length: 50 }, (_, power) => 2 ** power);

const pad = (value: number) => String(value).padStart(2, "0");

function at(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** Lines over time. Hovering gives the exact values; a table says the last ones to those who cannot see it. */
export function Chart({ label, times, lines, format, height = 190 }: ChartProps) {
  const room = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useStore(themeChanged);
  const shape = lines.map((line) => `${line.title}${line.colour}`).join();
  const data: uPlot.AlignedData = [times.map((time) => time / 1000), ...lines.map((line) => line.values)];

  useEffect(() => {
    const element = room.current;
    if (!element) return;
    const made = new uPlot(options(lines, format, element.clientWidth, height), data, element);
    plot.current = made;
    made.over.addEventListener("mouseleave", () => showLast(made));
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, theme, height]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [times, lines]);

  const last = lines.map((line) => `${line.title} ${format(line.values.findLast((value) => value !== null))}`);
  return (
    <figure class="chart" aria-label={label}>
      <div ref={room} aria-hidden="true" class="plot" />
      <figcaption class="unseen">
        {label}, the last values: {last.join(", ")}
      </figcaption>
    </figure>
  );
}

/** While nobody points at a moment, the legend says the last one. */
function showLast(plot: uPlot): void {
  const last = plot.data[0].length - 1;
  if (last >= 0 && plot.cursor.left !== undefined && plot.cursor.left < 0) plot.setLegend({ idx: last });
}

function options(lines: Line[], format: ChartProps["format"], width: number, height: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue("--font").trim()}`;
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--muted"), font, ticks: { show: false }, gap: 6 };
  return {
    width: Math.max(width, 100),
    height,
    padding: [8, 26, 0, 0],
    // Whatever draws it anew forgets what the legend said.
    hooks: { draw: [showLast] },
    cursor: { points: { size: 6 }, y: false, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, grid: { show: false }, values: (_, ticks) => ticks.map(at), space: 90 },
      format === bytes
        ? { ...axis, grid, size: 68, incrs: BYTES, values: (_, ticks) => ticks.map((tick) => bytes(tick).replace(".0 ", " ")), space: 34 }
        : { ...axis, grid, size: 52, values: (_, ticks) => ticks.map((tick) => short(tick)), space: 34 },
    ],
    series: [
      { value: (_, value) => (value === null ? "–" : at(value)), label: "At" },
      ...lines.map((line) => ({
        label: line.title,
        stroke: colour(line.colour),
        width: 1.75,
        points: { show: false },
        ...(line.isFilled ? { fill: `${colour(line.colour)}22` } : {}),
        ...(line.isDashed ? { dash: [4, 4] } : {}),
        value: (_: uPlot, value: number | null) => format(value),
      })),
    ],
  };
}

function short(value: number): string {
  if (value >= 1e9) return `${value / 1e9} G`;
  if (value >= 1e6) return `${value / 1e6} M`;
  if (value >= 1e4) return `${value / 1e3} k`;
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));
}

/** A line as large as a word. */
export function Sparkline({ values, label }: { values: number[]; label: string }) {
  if (values.length < 2) return <span class="faint">–</span>;
  const max = Math.max(...values, 1);
  const points = values.map((value, at) => `${((at / (values.length - 1)) * 72).toFixed(1)},${(17 - (value / max) * 15).toFixed(1)}`);
  return (
    <svg class="sparkline" viewBox="0 0 72 18" width="72" height="18" role="img" aria-label={label}>
      <polygon points={`0,18 ${points.join(" ")} 72,18`} />
      <polyline points={points.join(" ")} />
    </svg>
  );
}
