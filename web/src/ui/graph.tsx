import { useEffect, useRef, useState } from "preact/hooks";
import { Failure, Loading } from "./basics";
import { visible } from "./format";

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

interface Placed {
  width: number;
  height: number;
  nodes: (GraphNode & { x: number; y: number; width: number })[];
  edges: (GraphEdge & { points: { x: number; y: number }[] })[];
}

const HEIGHT = 40;
const CHARACTER = 7.3;
const LONGEST = 30;

const short = (text: string, most = LONGEST) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

/** Puts everything at its place. The library is loaded with the first graph. */
async function placed(graph: GraphData): Promise<Placed> {
  const dagre = await import("@dagrejs/dagre");
  const layout = new dagre.Graph({ multigraph: true });
  layout.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 90, edgesep: 8, marginx: 8, marginy: 8 });
  layout.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) {
    const length = Math.max([...short(visible(node.title))].length, [...(node.note ?? "")].length * 0.85);
    layout.setNode(node.id, { width: Math.max(96, length * CHARACTER + 28), height: HEIGHT });
  }
  graph.edges.forEach((edge, at) => {
    const length = Math.min([...(edge.label ?? "")].length, LONGEST);
    layout.setEdge(edge.from, edge.to, { width: length * 6.4, height: edge.label ? 14 : 0, labelpos: "c" }, String(at));
  });
  dagre.layout(layout);
  const nodes = graph.nodes.map((node) => {
    const { x, y, width } = layout.node(node.id) as { x: number; y: number; width: number };
    return { ...node, x, y, width };
  });
  const edges = graph.edges.map((edge, at) => {
    const { points } = layout.edge({ v: edge.from, w: edge.to, name: String(at) }) as { points: { x: number; y: number }[] };
    return { ...edge, points };
  });
  const { width = 0, height = 0 } = layout.graph() as { width?: number; height?: number };
  return { width, height, nodes, edges };
}

interface GraphProps {
  label: string;
  graph: GraphData;
  isSmall?: boolean;
}

/** A drawing of what leads where. */
export function Graph({ label, graph, isSmall }: GraphProps) {
  const [drawn, setDrawn] = useState<Placed>();
  const [error, setError] = useState<unknown>();
  const [zoom, setZoom] = useState(1);
  const room = useRef<HTMLDivElement>(null);
  const shape = JSON.stringify(graph);
  useEffect(() => {
    let isOver = false;
    placed(graph).then(
      (result) => {
        if (isOver) return;
        setDrawn(result);
        const width = room.current?.clientWidth ?? result.width;
        setZoom(Math.min(1, Math.max(0.35, width / result.width)));
      },
      (failure) => setError(failure),
    );
    return () => {
      isOver = true;
    };
  }, [shape]);
  if (error) return <Failure error={error} what="Cannot draw this" />;
  if (!drawn) return <Loading />;
  return (
    <div class={`graph ${isSmall ? "is-small" : ""}`}>
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
      <div class="graph-room" ref={room} tabIndex={0} role="region" aria-label={label}>
        <svg width={drawn.width * zoom} height={drawn.height * zoom} viewBox={`0 0 ${drawn.width} ${drawn.height}`} role="group" aria-label={label}>
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 8 4 0 8Z" />
            </marker>
          </defs>
          {drawn.edges.map((edge, at) => (
            <Edge key={at} edge={edge} />
          ))}
          {drawn.nodes.map((node) => (
            <Node key={node.id} node={node} />
          ))}
        </svg>
      </div>
    </div>
  );
}

function Edge({ edge }: { edge: Placed["edges"][number] }) {
  const { points } = edge;
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
function curve(points: { x: number; y: number }[]): string {
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

function Node({ node }: { node: Placed["nodes"][number] }) {
  const title = visible(node.title) || "(AMQP default)";
  const inside = (
    <>
      <title>{`${node.kind} ${title}${node.note ? `, ${node.note}` : ""}`}</title>
      <rect x={node.x - node.width / 2} y={node.y - HEIGHT / 2} width={node.width} height={HEIGHT} rx={node.kind === "exchange" ? HEIGHT / 2 : 5} />
      <text x={node.x} y={node.y + (node.note ? -2 : 4)} text-anchor="middle">
        {short(title)}
      </text>
      {node.note && (
        <text class="node-note" x={node.x} y={node.y + 12} text-anchor="middle">
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
