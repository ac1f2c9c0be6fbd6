/** What Leveret's own API answers, as docs/leveret-api.md has it. */

export interface Alert {
  id: number;
  rule: string;
  severity: string;
  vhost: string | null;
  object: { type: string; name: string } | null;
  raised_at: number;
  cleared_at: number | null;
  value: number;
  threshold: number;
  text: string;
  next_step: string;
}

export interface AlertRule {
  name: string;
  severity: string;
  raise: number;
  clear: number;
  unit: string;
  description: string;
}

export interface Alerts {
  looked_at: number;
  active: Alert[];
  history: Alert[];
  rules: AlertRule[];
}

export interface LoggedError {
  id: number;
  at: number;
  closed: "channel" | "connection";
  user: string | null;
  vhost: string | null;
  peer: string;
  connection: string;
  connection_name: string | null;
  channel: number | null;
  client: Record<string, string>;
  reply_code: number;
  reply_text: string;
  method: string | null;
  object: { type: string; name: string } | null;
  difference: { argument: string; received: string; current: string } | null;
  declared_by?: { user: string; connection: string | null; connection_name: string | null; at: number } | null;
  advice: string;
}

export interface Errors {
  total: number;
  items: LoggedError[];
}

export interface Death {
  queue: string;
  reason: string;
  exchange: string;
  routing_keys: string[];
  count: number;
  at: number | null;
}

/** A message as `peek`, `get` and `delayed` show it: what only one of them knows may be absent. */
export interface Message {
  id?: number;
  position?: number;
  state?: string;
  exchange: string;
  routing_key: string;
  redelivered?: boolean;
  acquired_count?: number;
  delivery_count?: number;
  priority?: number;
  persistent?: boolean;
  on_disk?: boolean;
  expires_at?: number | null;
  due_at?: number | null;
  due_in_ms?: number;
  age_ms?: number | null;
  consumer?: { consumer_tag: string | null; channel: string; connection: string } | null;
  payload: string | null;
  payload_encoding: "string" | "base64" | null;
  payload_bytes: number;
  payload_truncated?: boolean;
  properties: Properties | [];
  deaths?: Death[];
}

export interface Properties {
  headers?: Record<string, unknown>;
  [name: string]: unknown;
}

export interface Peeked {
  state: string;
  offset: number;
  total: number;
  next_offset: number | null;
  messages: Message[];
}

export interface DelayedList {
  offset: number;
  total: number;
  next_offset: number | null;
  messages: Message[];
}

export interface RouteBinding {
  source: string;
  destination: string;
  destination_type: string;
  routing_key: string;
  properties_key: string;
  arguments: Record<string, unknown>;
  matches?: boolean;
  why?: string;
}

export interface Routes {
  exchange: string;
  routing_key: string;
  unroutable: boolean;
  queues: { name: string; through: RouteBinding[] }[];
  bindings: RouteBinding[];
  bindings_left_out: number;
  exchanges: { name: string; type: string; note: string | null }[];
}

export interface Redriven {
  dry_run: boolean;
  examined: number;
  redriven: number;
  skipped: number;
  destinations: { exchange: string; routing_key: string; count: number }[];
  reasons: { reason: string; count: number }[];
}

/** A queue or exchange that a policy would be about. */
export interface PreviewedThing {
  kind: "queue" | "exchange";
  name: string;
  matches: boolean;
  wins: boolean;
  now_policy: string | null;
  /** What would be obeyed otherwise: before and after. */
  changes: Record<string, [unknown, unknown]>;
}

export interface PreviewedPolicy {
  total: number;
  truncated: boolean;
  matches: PreviewedThing[];
}
