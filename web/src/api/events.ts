import { send } from "./client";

/** An event of a stream, as `text/event-stream` has it. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** Takes events out of a stream of text, whose pieces end anywhere. */
export class EventReader {
  private rest = "";

  push(text: string): ServerEvent[] {
    const blocks = (this.rest + text).replace(/\r\n?/g, "\n").split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parse).filter((event): event is ServerEvent => event !== undefined);
  }
}

function parse(block: string): ServerEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value ?? "";
    if (field === "data") data.push(value ?? "");
  }
  return data.length > 0 ? { event, data: data.join("\n") } : undefined;
}

/** Reads a stream to its end. `EventSource` cannot be used: it sends no credentials but the browser's own. */
export async function readEvents(path: string, signal: AbortSignal, onEvent: (event: ServerEvent) => void): Promise<void> {
  const { response, refused } = await send("GET", path, { signal, headers: { accept: "text/event-stream" } });
  if (!response.ok || !response.body) throw refused(await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new EventReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of events.push(value)) onEvent(event);
  }
}
