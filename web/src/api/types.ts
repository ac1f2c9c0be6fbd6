/** What the management API answers, as far as the pages look at it. */

export interface Sample {
  sample: number;
  timestamp: number;
}

export interface Details {
  rate: number;
  samples?: Sample[];
}

export interface MessageStats {
  [name: string]: number | Details | undefined;
}

export interface Page<T> {
  items: T[];
  page: number;
  page_count: number;
  page_size: number;
  filtered_count: number;
  total_count: number;
}

export interface Listener {
  protocol: string;
  ip_address: string;
  port: number;
  tls?: boolean;
}

export interface Overview {
  product_name: string;
  product_version: string;
  rabbitmq_version: string;
  leveret_version?: string;
  cluster_name: string;
  node: string;
  object_totals: { connections: number; channels?: number; exchanges: number; queues: number; consumers?: number };
  message_stats?: MessageStats;
  churn_rates?: MessageStats;
  queue_totals?: {
    messages?: number;
    messages_ready?: number;
    messages_unacknowledged?: number;
    messages_ready_details?: Details;
    messages_unacknowledged_details?: Details;
  };
  listeners?: Listener[];
  exchange_types: { name: string; description: string }[];
}

export interface Node {
  name: string;
  running?: boolean;
  uptime?: number;
  mem_used?: number;
  mem_limit?: number;
  mem_alarm?: boolean;
  disk_free?: number;
  disk_free_limit?: number;
  disk_free_alarm?: boolean;
  fd_used?: number;
  fd_total?: number;
  sockets_used?: number;
  sockets_total?: number;
  mem_used_details?: Details;
  disk_free_details?: Details;
  fd_used_details?: Details;
  sockets_used_details?: Details;
  os_pid?: string;
  processors?: number;
  data_dir?: string;
  db_dir?: string;
  config_files?: string[];
  log_files?: string[];
}

export interface Queue {
  name: string;
  vhost: string;
  type: string;
  durable: boolean;
  auto_delete: boolean;
  exclusive: boolean;
  state: string;
  arguments: Record<string, unknown>;
  messages?: number;
  messages_ready?: number;
  messages_unacknowledged?: number;
  messages_details?: Details;
  messages_ready_details?: Details;
  messages_unacknowledged_details?: Details;
  message_stats?: MessageStats;
  message_bytes_ready?: number;
  messages_ram?: number;
  memory?: number;
  consumers?: number;
  consumer_utilisation?: number;
  idle_since?: string;
  head_message_timestamp?: number | null;
  oldest_ready_age_ms?: number | null;
  oldest_unacked_age_ms?: number | null;
  /** Dead letters end here. */
  dead_letter_queue?: boolean;
  policy?: string | null;
  operator_policy?: string | null;
  effective_policy_definition?: Record<string, unknown>;
  effective_arguments?: Record<string, unknown>;
  consumer_details?: Consumer[];
  messages_delayed?: number;
  messages_dlx?: number;
  delivery_limit?: number;
  single_active_consumer_tag?: string | null;
}

export interface Exchange {
  name: string;
  vhost: string;
  type: string;
  durable: boolean;
  auto_delete: boolean;
  internal: boolean;
  arguments: Record<string, unknown>;
  message_stats?: MessageStats;
  policy?: string | null;
}

export interface Binding {
  source: string;
  vhost: string;
  destination: string;
  destination_type: "queue" | "exchange";
  routing_key: string;
  arguments: Record<string, unknown>;
  properties_key: string;
}

export interface Connection {
  name: string;
  vhost: string;
  user: string;
  state?: string;
  channels?: number;
  protocol: string;
  ssl: boolean;
  ssl_protocol?: string | null;
  ssl_cipher?: string | null;
  peer_cert_subject?: string | null;
  auth_mechanism?: string;
  peer_host: string;
  peer_port: number;
  connected_at: number;
  user_provided_name?: string | null;
  client_properties?: Record<string, unknown>;
  channel_max?: number;
  frame_max?: number;
  timeout?: number;
  recv_oct?: number;
  recv_oct_details?: Details;
  send_oct?: number;
  send_oct_details?: Details;
  send_pend?: number;
}

export interface Channel {
  name: string;
  number: number;
  vhost: string;
  user: string;
  state?: string;
  confirm?: boolean;
  transactional?: boolean;
  prefetch_count?: number;
  global_prefetch_count?: number;
  consumer_count?: number;
  messages_unacknowledged?: number;
  messages_unconfirmed?: number;
  messages_uncommitted?: number;
  connection_details?: { name: string };
  message_stats?: MessageStats;
  consumer_details?: Consumer[];
}

export interface Consumer {
  consumer_tag: string;
  ack_required: boolean;
  active: boolean;
  activity_status?: string;
  arguments: Record<string, unknown>;
  exclusive: boolean;
  prefetch_count: number;
  consumer_timeout?: number | null;
  queue: { name: string; vhost: string };
  channel_details?: { name: string; connection_name: string; number: number; user: string; peer_host: string; peer_port: number } | null;
}

export interface User {
  name: string;
  tags: string[];
  password_hash: string;
  limits?: Record<string, number>;
}

export interface Permission {
  user: string;
  vhost: string;
  configure: string;
  write: string;
  read: string;
}

export interface TopicPermission {
  user: string;
  vhost: string;
  exchange: string;
  write: string;
  read: string;
}

export interface Vhost {
  name: string;
  description?: string;
  tags?: string[];
  default_queue_type?: string;
  messages?: number;
  messages_ready?: number;
  messages_unacknowledged?: number;
  message_stats?: MessageStats;
  protected_from_deletion?: boolean;
}

export interface Policy {
  name: string;
  vhost: string;
  pattern: string;
  "apply-to": string;
  priority: number;
  definition: Record<string, unknown>;
}

/** A counter of `message_stats`, per second. */
export function rateOf(stats: MessageStats | undefined, name: string): number {
  const details = stats?.[`${name}_details`];
  return typeof details === "object" ? details.rate : 0;
}

/** A counter of `message_stats`. */
export function totalOf(stats: MessageStats | undefined, name: string): number {
  const value = stats?.[name];
  return typeof value === "number" ? value : 0;
}

export function detailsOf(stats: MessageStats | undefined, name: string): Details | undefined {
  const details = stats?.[`${name}_details`];
  return typeof details === "object" ? details : undefined;
}
