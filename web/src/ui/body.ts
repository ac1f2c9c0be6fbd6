/** What a message's body is, found from its bytes. */

export type BodyKind = "empty" | "json" | "text" | "image" | "binary";

export function bytesOf(payload: string | null, encoding: string | null): Uint8Array {
  if (payload === null) return new Uint8Array();
  if (encoding !== "base64") return new TextEncoder().encode(payload);
  const binary = atob(payload);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** The text of some bytes; `undefined` when they are no UTF-8. A last character that is cut off is left out. */
export function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let cut = 0; cut <= (isCut ? 3 : 0); cut += 1) {
    try {
      return decoder.decode(bytes.subarray(0, bytes.length - cut));
    } catch {
      // Perhaps the end of a character is missing.
    }
  }
  return undefined;
}

const IMAGES: [number[], string][] = [
  [[0x89, 0x50, 0x4e, 0x47], "image/png"],
  [[0xff, 0xd8, 0xff], "image/jpeg"],
  [[0x47, 0x49, 0x46, 0x38], "image/gif"],
];

/** The type of a picture. SVG is none: it is a program as well. */
export function imageType(bytes: Uint8Array): string | undefined {
  const found = IMAGES.find(([start]) => start.every((byte, at) => bytes[at] === byte));
  if (found) return found[1];
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  return text.startsWith("RIFF") && text.endsWith("WEBP") ? "image/webp" : undefined;
}

export function kindOf(bytes: Uint8Array, isCut: boolean): BodyKind {
  if (bytes.length === 0) return "empty";
  if (imageType(bytes)) return "image";
  const text = textOf(bytes, isCut);
  if (text === undefined) return "binary";
  if (/^\s*[[{]/.test(text) && jsonOf(text) !== undefined) return "json";
  // Zero bytes make no sense in a text.
  return text.includes("\u0000") ? "binary" : "text";
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Lines of 16 bytes: their offset, the bytes, and what of them is ASCII. */
export function hexLines(bytes: Uint8Array, max: number): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, max); at += 16) {
    const row = [...bytes.subarray(at, Math.min(at + 16, max))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}
