/** What of a graph decides where things are: names and sizes, and not the numbers that change all the time. */
export interface Shape {
  nodes: { id: string; width: number }[];
  edges: { from: string; to: string; width: number }[];
}

/** The middle of each node, and the points of each edge, in the order of the shape. */
export interface Layout {
  width: number;
  height: number;
  nodes: { x: number; y: number }[];
  edges: { x: number; y: number }[][];
}

/** Finds a place for everything; ends when the signal says so. */
export function layOut(shape: Shape, signal: AbortSignal): Promise<Layout> {
  return new Promise((done, failed) => {
    const worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    const end = () => worker.terminate();
    signal.addEventListener("abort", end);
    worker.onmessage = (event: MessageEvent<Layout>) => {
      end();
      done(event.data);
    };
    worker.onerror = (event) => {
      end();
      failed(new Error(event.message || "the drawing could not be made"));
    };
    worker.postMessage(shape);
  });
}
