/** What the command palette offers. */

export interface Offer {
  id: string;
  title: string;
  kind: string;
  /** Where it leads. */
  href?: string;
  /** What it does, where it leads nowhere. */
  run?: () => void;
  /** What else it may be called. */
  words?: string;
}

const SEPARATORS = /[\s._\-/]+/;

/** How well an offer answers what was typed; 0 for not at all. */
export function score(offer: Offer, typed: string): number {
  const wanted = typed.trim().toLowerCase();
  if (wanted === "") return 1;
  const title = offer.title.toLowerCase();
  if (title === wanted) return 6;
  if (title.startsWith(wanted)) return 5;
  if (title.split(SEPARATORS).some((word) => word.startsWith(wanted))) return 4;
  if (title.includes(wanted)) return 3;
  const parts = wanted.split(/\s+/);
  const all = `${title} ${offer.kind} ${offer.words ?? ""}`.toLowerCase().split(SEPARATORS);
  return parts.every((part) => all.some((word) => word.startsWith(part))) ? 2 : 0;
}

/** The best offers first; of the same worth in the order in which they came. */
export function ranked(offers: Offer[], typed: string, most: number): Offer[] {
  return offers
    .map((offer, at) => ({ offer, at, worth: score(offer, typed) }))
    .filter(({ worth }) => worth > 0)
    .sort((a, b) => b.worth - a.worth || a.at - b.at)
    .slice(0, most)
    .map(({ offer }) => offer);
}
