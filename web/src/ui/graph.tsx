import { useEffect, useRef, useState } from "preact/hooks";
import { Failure, Loading } from "./basics";
import { visible } from "./format";
import { layOut, type Layout, type Shape } from "./layout";

export interface GraphNode {
  id: string;
  title: string;
  /** `exchange`, `queue` or `end`: how it is drawn. */
  kind: string;
  note?: string;
  href?: string;
  tone?: "warn" | "bad" | "lit";
}

export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
  kind?: "binding" | "death" | "lit" | "off";
}

export interface GraphData {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

const HEIGHT = 40;
const CHARACTER = 7.3;
const LONGEST = 30;
/** Pixels around the drawing. */
const FRAME = 24;
const ORIGIN = { x: 0, y: 0 };

const short = (text: string, most = LONGEST) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

/** What decides where things are. Room for a note is kept for all, so that nothing moves when a number grows. */
function shapeOf(graph: GraphData): Shape {
  const room = (text: string, character: number) => [...short(text)].length * character;
  return {
    nodes: graph.nodes.map((node) => ({ id: node.id, width: Math.max(node.kind === "queue" && node.note !== "queue" ? 168 : 104, room(visible(node.title), CHARACTER) + 28) })),
    edges: graph.edges.map((edge) => ({ from: edge.from, to: edge.to, width: edge.label ? room(visible(edge.label), 6.4) : 0 })),
  };
}

type Point = { x: number; y: number };

interface GraphProps {
  label: string;
  graph: GraphData;
  isSmall?: boolean;
}

/** A drawing of what leads where. */
export function Graph({ label, graph, isSmall }: GraphProps) {
  const [found, setFound] = useState<{ key: string; layout: Layout }>();
  const [error, setError] = useState<unknown>();
  const [zoom, setZoom] = useState(1);
  const room = useRef<HTMLDivElement>(null);
  const shape = shapeOf(graph);
  const key = JSON.stringify(shape);
  useEffect(() => {
    const abort = new AbortController();
    layOut(shape, abort.signal).then(
      (layout) => {
        if (abort.signal.aborted) return;
        setFound({ key, layout });
        const width = (room.current?.clientWidth ?? layout.width) - FRAME;
        setZoom(Math.min(1, Math.max(0.35, width / layout.width)));
      },
      (failure) => setError(failure),
    );
    return () => abort.abort();
  }, [key]);
  const drawn = found?.key === key ? found.layout : undefined;
  if (error) return <Failure error={error} what="Cannot draw this" />;
  if (!drawn) {
    return (
      <div class="graph" ref={room}>
        <Loading />
      </div>
    );
  }
  return (
    <div class={`graph ${isSmall ? "is-small" : ""}`} ref={room}>
      {!isSmall && (
        <div class="graph-tools" role="group" aria-label="Size of the drawing">
          <button type="button" class="small" aria-label="Smaller" onClick={() => setZoom(Math.max(0.2, zoom / 1.25))}>
            −
          </button>
          <button type="button" class="small" aria-label="Larger" onClick={() => setZoom(Math.min(2, zoom * 1.25))}>
            +
          </button>
        </div>
      )}
      <div class="graph-room" tabIndex={0} role="region" aria-label={label}>
        <svg width={drawn.width * zoom} height={drawn.height * zoom} viewBox={`0 0 ${drawn.width} ${drawn.height}`} role="group" aria-label={label}>
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 8 4 0 8Z" />
            </marker>
          </defs>
          {graph.edges.map((edge, at) => (
            <Edge key={at} edge={edge} points={drawn.edges[at] ?? []} />
          ))}
          {graph.nodes.map((node, at) => (
            <Node key={node.id} node={node} at={drawn.nodes[at] ?? ORIGIN} width={shape.nodes[at]?.width ?? 0} />
          ))}
        </svg>
      </div>
    </div>
  );
}

function Edge({ edge, points }: { edge: GraphEdge; points: Point[] }) {
  const middle = points[Math.floor(points.length / 2)];
  return (
    <g class={`edge ${edge.kind ?? "binding"}`}>
      <path d={curve(points)} marker-end="url(#arrow)" />
      {edge.label && middle && (
        <text x={middle.x} y={middle.y + 4} text-anchor="middle">
          <title>{visible(edge.label)}</title>
          {short(visible(edge.label))}
        </text>
      )}
    </g>
  );
}

/** A smooth line through some points. */
function curve(points: Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x} ${first.y}`;
  let from = first;
  for (const to of rest) {
    const half = (from.x + to.x) / 2;
    path += `C${half} ${from.y} ${half} ${to.y} ${to.x} ${to.y}`;
    from = to;
  }
  return path;
}

function Node({ node, at, width }: { node: GraphNode; at: Point; width: number }) {
  const title = visible(node.title) || "(AMQP default)";
  const inside = (
    <>
      <title>{`${node.kind} ${title}${node.note ? `, ${node.note}` : ""}`}</title>
      <rect x={at.x - width / 2} y={at.y - HEIGHT / 2} width={width} height={HEIGHT} rx={node.kind === "exchange" ? HEIGHT / 2 : 5} />
      <text x={at.x} y={at.y + (node.note ? -2 : 4)} text-anchor="middle">
        {short(title)}
      </text>
      {node.note && (
        <text class="node-note" x={at.x} y={at.y + 12} text-anchor="middle">
          {node.note}
        </text>
      )}
    </>
  );
  const className = `node ${node.kind} ${node.tone ?? ""}`;
  return node.href ? (
    <a href={node.href} class={className}>
      {inside}
    </a>
  ) : (
    <g class={className}>{inside}</g>
  );
}
