import { visible } from "./format";

/** So many children of one value are drawn. */
const CHILDREN_MAX = 200;
/** What lies deeper is closed at first. */
const OPEN_DEPTH = 2;

/** A JSON value that one can fold. */
export function JsonTree({ of }: { of: unknown }) {
  return (
    <div class="json" tabIndex={0} role="region" aria-label="Body as a tree">
      <Value of={of} depth={0} />
    </div>
  );
}

function Value({ of, depth, name }: { of: unknown; depth: number; name?: string }) {
  const label = name === undefined ? null : <span class="json-key">{visible(name)}: </span>;
  if (typeof of !== "object" || of === null) {
    const kind = of === null ? "null" : typeof of;
    return (
      <div>
        {label}
        <bdi class={`json-${kind}`}>{typeof of === "string" ? `"${visible(of)}"` : String(of)}</bdi>
      </div>
    );
  }
  const entries = Object.entries(of);
  const isList = Array.isArray(of);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) {
    return (
      <div>
        {label}
        {open + close}
      </div>
    );
  }
  return (
    <details open={depth < OPEN_DEPTH}>
      <summary>
        {label}
        <span class="faint">
          {open}
          {entries.length}
          {close}
        </span>
      </summary>
      <div class="json-inner">
        {entries.slice(0, CHILDREN_MAX).map(([key, item]) => (
          <Value key={key} of={item} depth={depth + 1} name={key} />
        ))}
        {entries.length > CHILDREN_MAX && <span class="faint">and {entries.length - CHILDREN_MAX} more</span>}
      </div>
    </details>
  );
}
