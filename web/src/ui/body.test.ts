import { expect, test } from "vitest";
import { bytesOf, hexLines, imageType, kindOf, textOf } from "./body";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("a body is what its bytes are, whatever its properties say", () => {
  expect(kindOf(bytesOf('{"a": 1}', "string"), false)).toBe("json");
  expect(kindOf(bytesOf("plain", "string"), false)).toBe("text");
  expect(kindOf(bytes(), false)).toBe("empty");
  expect(kindOf(bytes(0xff, 0xfe), false)).toBe("binary");
  expect(kindOf(bytes(0x61, 0x00), false)).toBe("binary");
  expect(kindOf(bytes(0x89, 0x50, 0x4e, 0x47, 1), false)).toBe("image");
  expect(kindOf(bytesOf("<svg onload=alert(1)>", "string"), false)).toBe("text");
  expect(imageType(bytes(0x89))).toBeUndefined();
});

test("a character that is cut off at the end does not make a text binary", () => {
  const cut = new TextEncoder().encode("ab€").subarray(0, 4);
  expect(textOf(cut, true)).toBe("ab");
  expect(textOf(cut, false)).toBeUndefined();
});

test("hexadecimal lines say where, what, and what it looks like", () => {
  expect(hexLines(bytesOf("AGFi", "base64"), 16)).toBe(`00000000  ${"00 61 62".padEnd(47)}  .ab`);
  expect(hexLines(bytes(...Array(20).fill(65)), 100).split("\n")).toHaveLength(2);
});
