import { ApiError } from "../api/client";

/** So many requests at a time: a browser sends no more to one place. */
const AT_ONCE = 6;

/** Does the same with many things; says which of them failed, and goes on with the others. */
export async function each<T extends { name: string }>(things: T[], act: (thing: T) => Promise<unknown>): Promise<void> {
  const waiting = [...things];
  const failed: { name: string; error: unknown }[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        await act(next);
      } catch (error) {
        failed.push({ name: next.name, error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const first = failed[0];
  if (!first) return;
  const status = first.error instanceof ApiError ? first.error.status : -1;
  const reason = first.error instanceof Error ? first.error.message : String(first.error);
  throw new ApiError(status, "", `${failed.length} of ${things.length} failed. '${first.name}': ${reason}`, "");
}
