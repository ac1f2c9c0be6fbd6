/** Numbers, sizes and times as people read them. Every one says its unit. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(value: number | undefined | null): string {
  return value === undefined || value === null || !Number.isFinite(value) ? "–" : whole.format(value);
}

/** The word for so many. */
export const noun = (value: number | undefined | null, one: string, many = `${one}s`): string => (value === 1 ? one : many);

/** "1 message", "2 messages". */
export const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${noun(value, one, many)}`;

/** A rate, without its unit. */
export function rate(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 10) return value.toFixed(size < 0.05 ? 2 : 1);
  return whole.format(value);
}

export function perSecond(value: number | undefined | null): string {
  return `${rate(value)}/s`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(size) >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}

export function percent(share: number | undefined | null): string {
  return share === undefined || share === null || !Number.isFinite(share) ? "–" : `${(share * 100).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
}

/** How long something takes or took: "350 ms", "12 s", "3 min 5 s", "2 h 10 min", "5 d 3 h". */
export function duration(ms: number | undefined | null): string {
  if (ms === undefined || ms === null || !Number.isFinite(ms)) return "–";
  if (ms <= 0) return "0 s";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return join(minutes, "min", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return join(hours, "h", minutes % 60, "min");
  return join(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** How old something is; ages are exact to seconds. */
export function age(ms: number | undefined | null): string {
  return ms === undefined || ms === null ? "–" : duration(ms < 1000 ? 0 : ms);
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** "3 min ago", "in 5 s". */
export function relative(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 1000) return "now";
  return ms > 0 ? `${coarse(ms)} ago` : `in ${coarse(-ms)}`;
}

/** How long something takes, in its largest unit alone: where there is little room. */
export function coarse(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const two = (value: number) => String(value).padStart(2, "0");

/** The local time; with its date if that is not today. */
export function clock(at: number, now: number): string {
  const date = new Date(at);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** A value of arguments or headers, on one line. */
export function value(item: unknown): string {
  return typeof item === "string" ? item : JSON.stringify(item) ?? "";
}

/**
 * A name or a text, so that nothing in it can hide: control characters, marks that turn the direction of writing, and those that take
 * no room are shown by their numbers.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}

// Not U+200D: it joins emoji.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
