/** Which names a pattern of a policy nearly matches. */

/** How many letters must change to make one of the other; more than `most` is `most + 1`. */
export function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same);
    }
    row = next;
  }
  return Math.min(row[b.length] ?? 0, most + 1);
}

/** Names that a pattern may have been meant for: as good as the same letters at their beginning. */
export function nearly(names: string[], pattern: string): string[] {
  const wanted = pattern.replace(/\\(.)/g, "$1").replace(/[\^$.*+?()[\]{}|]/g, "").toLowerCase();
  if (wanted.length < 3) return [];
  return names.filter((name) => distance(name.toLowerCase().slice(0, wanted.length), wanted, 2) <= 2).slice(0, 5);
}
