import type { Message, Peeked } from "../api/leveret";
import { bytesOf } from "../ui/body";

/** Searching a queue: as many looks as it takes, each at a part of it, from the head to the end. */

/** Of each body, so much is searched. */
export const SEARCHED_BYTES = 16 * 1024;
/** When so many more are found, it waits to be told to go on. */
const FOUND_STEP = 200;
/** Of each body that is found, so much is kept. */
const KEPT_CHARACTERS = 4096;
const LIMIT_MAX = 500;
const LIMIT_MIN = 20;
/** An answer that is much larger keeps the page from drawing while it is read. */
const ANSWER_CHARACTERS = 1024 * 1024;

export interface Search {
  found: Message[];
  /** How far from the head it has come. */
  looked: number;
  total: number;
  /** Where it goes on; `null` at the end of the queue. */
  next: number | null;
  /** How many messages are asked for at once. */
  limit: number;
  /** It waits when so many are found. */
  most: number;
}

export const START: Search = { found: [], looked: 0, total: 0, next: 0, limit: LIMIT_MAX, most: FOUND_STEP };

/** The texts in a property or a header: their names say nothing of a message, but for headers, which programs name. */
function texts(value: unknown, isNamed = false): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => texts(item, true));
  if (typeof value !== "object" || value === null) return [String(value)];
  return Object.entries(value).flatMap(([key, item]) => [...(isNamed ? [key] : []), ...texts(item, isNamed || key === "headers")]);
}

/** Whether a message has a text anywhere: in its body, its properties or its headers. */
export function contains(message: Message, text: string): boolean {
  const wanted = text.toLowerCase();
  const body = message.payload_encoding === "base64" ? new TextDecoder().decode(bytesOf(message.payload, "base64")) : (message.payload ?? "");
  return [body, message.routing_key, message.exchange, ...texts(message.properties)].some((place) => place.toLowerCase().includes(wanted));
}

/** A message that is found, without most of a large body: many of them must not fill the memory. */
function kept(message: Message): Message {
  // Four characters of base64 stand together.
  if (message.payload === null || message.payload.length <= KEPT_CHARACTERS) return message;
  return { ...message, payload: message.payload.slice(0, KEPT_CHARACTERS), payload_truncated: true };
}

/** What is known after one more part of the queue. */
export function step(before: Search, page: Peeked, wanted: string): Search {
  const known = new Set(before.found.map((message) => message.id));
  const fresh = page.messages.filter((message) => !known.has(message.id) && contains(message, wanted)).map(kept);
  // Messages that left meanwhile brought those behind them nearer to the head: it goes back by as many, to pass none over.
  const gone = before.next === 0 ? 0 : Math.max(0, before.total - page.total);
  const size = page.messages.reduce((sum, message) => sum + (message.payload?.length ?? 0), 0);
  return {
    found: [...before.found, ...fresh],
    looked: page.offset + page.messages.length,
    total: page.total,
    next: page.next_offset === null ? null : Math.max(0, page.next_offset - gone),
    limit: size > ANSWER_CHARACTERS ? Math.max(LIMIT_MIN, Math.floor(before.limit / 2)) : Math.min(LIMIT_MAX, before.limit * 2),
    most: before.most,
  };
}

/** Whether it has found so many that it waits. */
export const isFull = (search: Search) => search.next !== null && search.found.length >= search.most;

export const goOn = (search: Search): Search => ({ ...search, most: search.found.length + FOUND_STEP });
