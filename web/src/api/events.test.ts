import { expect, test } from "vitest";
import { EventReader } from "./events";

test("events come whole, wherever the stream is cut", () => {
  const text = 'event: message\ndata: {"a": 1}\n\n: still here\n\nevent: dropped\ndata: {"count": 2}\n\n';
  for (let at = 0; at <= text.length; at += 1) {
    const reader = new EventReader();
    const events = [...reader.push(text.slice(0, at)), ...reader.push(text.slice(at))];
    expect(events).toEqual([
      { event: "message", data: '{"a": 1}' },
      { event: "dropped", data: '{"count": 2}' },
    ]);
  }
});
