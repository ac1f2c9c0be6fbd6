import type { Death, Message } from "../api/leveret";

/** What happened to a message, in sentences, the latest first. */

const REASONS: Record<string, string> = {
  rejected: "was rejected by a consumer",
  expired: "expired",
  maxlen: "was pushed out, because the queue was full",
  delivery_limit: "was delivered too often",
};

/** So many deaths in one place are a loop, and no misfortune. */
export const LOOP = 10;

/** The deaths of a message, from its own field or from the header `x-death`. */
export function deathsOf(message: Pick<Message, "deaths" | "properties">): Death[] {
  if (message.deaths && message.deaths.length > 0) return message.deaths;
  const headers = Array.isArray(message.properties) ? undefined : message.properties.headers;
  const raw = headers?.["x-death"];
  if (!Array.isArray(raw)) return [];
  return raw.filter((item): item is Record<string, unknown> => typeof item === "object" && item !== null).map(fromHeader);
}

function fromHeader(item: Record<string, unknown>): Death {
  const keys = item["routing-keys"];
  const time = Number(item["time"]);
  return {
    queue: String(item["queue"] ?? ""),
    reason: String(item["reason"] ?? ""),
    exchange: String(item["exchange"] ?? ""),
    routing_keys: Array.isArray(keys) ? keys.map(String) : [],
    count: Number(item["count"] ?? 1),
    // Seconds, in AMQP.
    at: Number.isFinite(time) && time > 0 ? time * 1000 : null,
  };
}

export function sentence(death: Death): string {
  const what = REASONS[death.reason] ?? `died (${death.reason})`;
  const times = death.count === 1 ? "once" : `${death.count} times`;
  const keys = death.routing_keys.map((key) => `'${key}'`).join(", ");
  const way = death.exchange === "" ? "straight" : `through exchange '${death.exchange}'`;
  return `In queue '${death.queue}' it ${what}, ${times}. It had come there ${way}${keys ? ` with routing key ${keys}` : ""}.`;
}

/** What the whole story comes to. */
export function moral(deaths: Death[]): string | undefined {
  const worst = deaths.reduce<Death | undefined>((most, death) => (!most || death.count > most.count ? death : most), undefined);
  if (!worst || worst.count < LOOP) return undefined;
  const queues = [...new Set(deaths.map((death) => `'${death.queue}'`))];
  return `This message goes round and round: it died ${worst.count} times in '${worst.queue}'${queues.length > 1 ? `, on a way through ${queues.join(" and ")}` : ""}. Take it out, or mend the program that rejects it.`;
}
