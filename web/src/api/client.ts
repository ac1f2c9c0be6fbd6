import { createStore } from "../state/store";
import { ROOT } from "./root";

/** What the broker, or the way to it, says when something is not done. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The broker's word for it, such as `not_found`. */
    readonly word: string,
    /** The broker's own sentence. */
    readonly reason: string,
    /** What was asked. */
    readonly request: string,
  ) {
    super(reason || word || `status ${status}`);
  }

  get isAbsent(): boolean {
    return this.status === 404;
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }

  /** Name and password are wrong, unlike a right that is missing. */
  get isWrongLogin(): boolean {
    return this.status === 401 && this.word !== "not_authorised";
  }
}

/** What proves who asks. */
export interface Credentials {
  /** The value of the header `Authorization`. A token is made new first, if it is about to end. */
  header(): string | Promise<string>;
}

let credentials: Credentials | undefined;

export function setCredentials(value: Credentials | undefined): void {
  credentials = value;
}

export function authorizationOf(name: string, password: string): string {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Since when the broker does not answer, in milliseconds; 0 when it does. */
export const silentSince = createStore(0);

/** Moves when the broker refuses the credentials of a session that it accepted before. */
export const loginRefused = createStore(0);

export interface Call {
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Asks the broker. */
export async function call<T>(method: string, path: string, options: Call = {}): Promise<T> {
  const { response, refused } = await send(method, path, options);
  const text = await response.text();
  if (!response.ok) throw refused(text);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** An answer as it comes, and the error that it is if it is none. */
export interface Sent {
  response: Response;
  refused(text: string): ApiError;
}

/** Asks the broker, and gives the answer as it comes. */
export async function send(method: string, path: string, options: Call = {}): Promise<Sent> {
  const asked = credentials;
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (asked) headers["authorization"] = await asked.header();
  if (options.body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = {
    method,
    headers,
    // The browser's own window for a password would cover the form.
    credentials: "omit",
    cache: "no-store",
    signal: options.signal ?? null,
    body: options.body === undefined ? null : JSON.stringify(options.body),
  };
  const request = `${method} ${path}`;
  try {
    const response = await fetch(ROOT + path, init);
    silentSince.set(0);
    return { response, refused: (text) => refusal(response.status, text, request, asked) };
  } catch (error) {
    if (options.signal?.aborted) throw error;
    if (silentSince.get() === 0) silentSince.set(Date.now());
    throw new ApiError(0, "unreachable", "The broker does not answer.", request);
  }
}

/** Makes an error of an answer to these credentials. */
function refusal(status: number, text: string, request: string, asked: Credentials | undefined): ApiError {
  let word = "";
  let reason = "";
  try {
    const body = JSON.parse(text) as { error?: unknown; reason?: unknown };
    word = typeof body.error === "string" ? body.error : "";
    reason = typeof body.reason === "string" ? body.reason : body.reason === undefined ? "" : JSON.stringify(body.reason);
  } catch {
    reason = text.slice(0, 500);
  }
  const error = new ApiError(status, word, reason, request);
  // An answer that comes late may be for somebody who has logged out since.
  if (error.isWrongLogin && asked && asked === credentials) loginRefused.set(loginRefused.get() + 1);
  return error;
}

/** An answer that can be asked for again: with its tag, the broker says when it is still the same. */
export interface Tagged<T> {
  data: T;
  tag: string;
}

/** Asks for a path whose answer is known already; the known one again, if the broker says that nothing has changed. */
export async function getAgain<T>(path: string, known: Tagged<T> | undefined, signal?: AbortSignal): Promise<Tagged<T>> {
  const { response, refused } = await send("GET", path, { signal, headers: known?.tag ? { "if-none-match": known.tag } : {} });
  if (response.status === 304 && known) return known;
  const text = await response.text();
  if (!response.ok) throw refused(text);
  return { data: JSON.parse(text) as T, tag: response.headers.get("etag") ?? "" };
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>("GET", path, { signal });
export const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, { body });
export const put = <T>(path: string, body: unknown = {}) => call<T>("PUT", path, { body });
export const del = (path: string, headers: Record<string, string> = {}) => call<void>("DELETE", path, { headers });
