import type { ComponentChildren } from "preact";

/** A number with its name and its unit, and where it leads. */
export interface Tile {
  title: string;
  value: ComponentChildren;
  unit?: string;
  href?: string;
}

/** The numbers that matter most, large. */
export function Tiles({ label, tiles }: { label: string; tiles: Tile[] }) {
  return (
    <section class="tiles" aria-label={label}>
      {tiles.map(({ title, value, unit, href }) => {
        const inside = (
          <>
            <span class="tile-title">{title}</span>
            <span class="tile-value">{value}</span>
            {unit && <span class="tile-unit">{unit}</span>}
          </>
        );
        return href ? (
          <a key={title} href={href} class="tile">
            {inside}
          </a>
        ) : (
          <div key={title} class="tile">
            {inside}
          </div>
        );
      })}
    </section>
  );
}
