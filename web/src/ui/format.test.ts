import { expect, test } from "vitest";
import { bytes, counted, duration, rate, relative, visible } from "./format";

test("numbers have their units", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(1536)).toBe("1.5 KiB");
  expect(bytes(16 * 1024 * 1024)).toBe("16.0 MiB");
  expect(counted(1, "message")).toBe("1 message");
  expect(counted(12_345, "message")).toBe("12,345 messages");
  expect(counted(2, "queue is", "queues are")).toBe("2 queues are");
});

test("slow rates keep their digits", () => {
  expect(rate(0)).toBe("0");
  expect(rate(0.02)).toBe("0.02");
  expect(rate(0.4)).toBe("0.4");
  expect(rate(1234.5)).toBe("1,235");
  expect(rate(undefined)).toBe("–");
});

test("times are told in two units at most", () => {
  expect(duration(350)).toBe("350 ms");
  expect(duration(59_999)).toBe("59 s");
  expect(duration(185_000)).toBe("3 min 5 s");
  expect(duration(7_200_000)).toBe("2 h");
  expect(duration(90_000_000)).toBe("1 d 1 h");
  expect(relative(1_000, 61_000)).toBe("1 min ago");
  expect(relative(66_000, 61_000)).toBe("in 5 s");
});

test("nothing in a name can hide, and emoji stay whole", () => {
  expect(visible("a\u0000b")).toBe("a\\u{0}b");
  expect(visible("admin\u202enimda")).toBe("admin\\u{202e}nimda");
  expect(visible("<script>alert(1)</script>")).toBe("<script>alert(1)</script>");
  expect(visible("👩‍👩‍👧 עברית")).toBe("👩‍👩‍👧 עברית");
});
