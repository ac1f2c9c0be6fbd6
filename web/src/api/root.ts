/** Where a page says in its head how its root is reached from it: `./`, or `../` for each directory that it is in. */
const SAYS = 'meta[name="root"]';

/** The path below which everything is served, without a slash at its end: empty, or what `management.path_prefix` says. */
export function rootOf(page: string, way: string): string {
  return new URL(way, page).pathname.replace(/\/$/, "");
}

/** The same of this page. What is tested without a browser has none. */
export const ROOT = typeof document === "undefined" ? "" : rootOf(location.href, document.querySelector<HTMLMetaElement>(SAYS)?.content ?? "/");
