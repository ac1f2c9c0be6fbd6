import { createStore, useStore } from "./store";

/** Where somebody is: the parts of the hash, decoded, and its query. */
export interface Place {
  parts: string[];
  query: URLSearchParams;
}

/** Reads a hash such as `#/queues/%2F/orders?tab=messages`. What is wrongly encoded is taken as it stands. */
export function parseHash(hash: string): Place {
  const text = hash.replace(/^#?\/?/, "");
  const at = text.indexOf("?");
  const path = at < 0 ? text : text.slice(0, at);
  const parts = path.split("/").map(decoded);
  while (parts.length > 0 && parts[parts.length - 1] === "") parts.pop();
  return { parts, query: new URLSearchParams(at < 0 ? "" : text.slice(at + 1)) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

type Query = Record<string, string | number | boolean | undefined>;

/** The path of names: each is encoded. */
export function path(...parts: string[]): string {
  return parts.map((part) => "/" + encodeURIComponent(part)).join("");
}

export function queryText(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "" && value !== false) search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

/** A link to a page. */
export function link(parts: string[], query: Query = {}): string {
  return `#${path(...parts) || "/"}${queryText(query)}`;
}

export const place = createStore<Place>(parseHash(""));

export function watchPlace(): void {
  const read = () => place.set(parseHash(location.hash));
  addEventListener("hashchange", read);
  read();
}

export function go(parts: string[], query: Query = {}): void {
  location.hash = link(parts, query);
}

/**
 * Changes the query of this page without a step in the history: what one types into a filter is no place of its own. The address leads:
 * it is changed at once, and `place` follows with an event. Where it names another page already, this page has nothing to change any more.
 */
export function adjust(query: Query): void {
  const here = parseHash(location.hash);
  if (path(...here.parts) !== path(...place.get().parts)) return;
  const merged: Query = { ...Object.fromEntries(here.query), ...query };
  history.replaceState(null, "", link(here.parts, merged));
  place.set(parseHash(location.hash));
}

/** Something that is open or not, and stands in the address: an act of the palette leads to it. */
export function useFlag(name: string): [boolean, (isOn: boolean) => void] {
  const { query } = useStore(place);
  return [query.get(name) === "true", (isOn) => adjust({ [name]: isOn })];
}
