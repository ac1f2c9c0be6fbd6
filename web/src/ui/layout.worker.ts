// Finds a place for everything in a graph. In a worker: 500 queues take seconds, and typing must not wait for them.
import * as dagre from "@dagrejs/dagre";
import type { Layout, Shape } from "./layout";

const HEIGHT = 40;

export function place(shape: Shape): Layout {
  const layout = new dagre.Graph({ multigraph: true });
  layout.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 90, edgesep: 8, marginx: 8, marginy: 8 });
  layout.setDefaultEdgeLabel(() => ({}));
  for (const node of shape.nodes) layout.setNode(node.id, { width: node.width, height: HEIGHT });
  shape.edges.forEach((edge, at) => {
    layout.setEdge(edge.from, edge.to, { width: edge.width, height: edge.width > 0 ? 14 : 0, labelpos: "c" }, String(at));
  });
  dagre.layout(layout);
  const nodes = shape.nodes.map(({ id }) => {
    const { x, y } = layout.node(id) as { x: number; y: number };
    return { x, y };
  });
  const edges = shape.edges.map((edge, at) => (layout.edge({ v: edge.from, w: edge.to, name: String(at) }) as { points: { x: number; y: number }[] }).points);
  const { width = 0, height = 0 } = layout.graph() as { width?: number; height?: number };
  return { width, height, nodes, edges };
}

self.onmessage = (event: MessageEvent<Shape>) => self.postMessage(place(event.data));
