import { describe, expect, it } from "vitest";
import type { Message, Peeked } from "../api/leveret";
import { contains, goOn, isFull, START, step } from "./search";

const message = (id: number, payload: string, more: Partial<Message> = {}): Message => ({
  id,
  exchange: "shop",
  routing_key: "order.new",
  payload,
  payload_encoding: "string",
  payload_bytes: payload.length,
  properties: [],
  ...more,
});

const page = (offset: number, total: number, messages: Message[]): Peeked => {
  const end = offset + messages.length;
  return { state: "ready", offset, total, next_offset: end < total ? end : null, messages };
};

const many = (first: number, count: number, payload: string) => Array.from({ length: count }, (_, at) => message(first + at, payload));

describe("contains", () => {
  it("looks in body, headers and routing key, whatever the case", () => {
    const one = message(1, "Tea", { properties: { content_type: "text/plain", headers: { tenant: { name: "South" } } } });
    for (const text of ["tEA", "south", "tenant", "ORDER.new", "text/pl"]) expect(contains(one, text), text).toBe(true);
    expect(contains(one, "coffee")).toBe(false);
  });
  it("does not find the names of properties, nor the letters of base64", () => {
    expect(contains(message(1, "x", { properties: { content_type: "text/plain", headers: {} } }), "content_type")).toBe(false);
    const binary = message(1, btoa("\u0000tea"), { payload_encoding: "base64" });
    expect(contains(binary, binary.payload ?? "")).toBe(false);
    expect(contains(binary, "tea")).toBe(true);
  });
});

describe("step", () => {
  it("goes on until the end, and keeps what it found", () => {
    const first = step(START, page(0, 4, [message(1, "tea"), message(2, "no")]), "tea");
    expect(first).toMatchObject({ looked: 2, total: 4, next: 2 });
    const second = step(first, page(2, 4, [message(3, "no"), message(4, "tea")]), "tea");
    expect(second).toMatchObject({ looked: 4, next: null });
    expect(second.found.map((one) => one.id)).toEqual([1, 4]);
  });
  it("goes back by as many as have left, and shows nothing twice", () => {
    const first = step(START, page(0, 6, [message(1, "no"), message(2, "tea")]), "tea");
    const second = step(first, page(2, 5, [message(4, "no"), message(5, "no")]), "tea");
    expect(second.next).toBe(3);
    const third = step(step(START, page(0, 6, many(1, 2, "tea")), "tea"), page(1, 6, many(2, 2, "tea")), "tea");
    expect(third.found.map((one) => one.id)).toEqual([1, 2, 3]);
  });
  it("waits when much is found, and goes on when told", () => {
    const full = step(START, page(0, 1000, many(1, 200, "tea")), "tea");
    expect(isFull(full)).toBe(true);
    expect(isFull(goOn(full))).toBe(false);
    expect(isFull(step(START, page(0, 200, many(1, 200, "tea")), "tea")), "nothing is left").toBe(false);
  });
  it("asks for less at once where bodies are large, and keeps little of them", () => {
    const large = step(START, page(0, 1000, many(1, 100, `tea${"x".repeat(16_000)}`)), "tea");
    expect(large.limit).toBe(250);
    expect(large.found[0]?.payload?.length).toBe(4096);
    expect(large.found[0]?.payload_truncated).toBe(true);
    expect(step(large, page(100, 1000, many(200, 10, "no")), "tea").limit).toBe(500);
  });
});
