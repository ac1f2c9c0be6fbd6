import { rangeChoice } from "../state/preferences";
import { RANGES, useRange } from "../state/range";

/** Chooses how far back charts reach. */
export function Ranges() {
  const chosen = useRange();
  return (
    <div class="segments" role="group" aria-label="Time range">
      {RANGES.map(({ title }) => (
        <button key={title} type="button" aria-pressed={title === chosen.title} onClick={() => rangeChoice.set(title)}>
          {title}
        </button>
      ))}
    </div>
  );
}
