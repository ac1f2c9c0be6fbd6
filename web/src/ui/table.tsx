import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { columnChoice } from "../state/preferences";
import { useStore } from "../state/store";

export interface Column<T> {
  id: string;
  title: string;
  /** The title is said to those who cannot see the table, and not shown. */
  hidesTitle?: boolean;
  /** Said when the title is not enough. */
  about?: string;
  /** The key of the API to sort by. */
  sort?: string;
  /** The keys of the API that the cell is made of, where it is not the one to sort by. */
  keys?: string[];
  isNumber?: boolean;
  /** Not shown until somebody chooses it. */
  isExtra?: boolean;
  cell: (row: T) => ComponentChildren;
}

export interface Order {
  sort: string;
  isReversed: boolean;
}

interface TableProps<T> {
  /** What it shows, for those who cannot see it. */
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  order?: Order;
  onOrder?: (order: Order) => void;
  selected?: Set<string>;
  onSelect?: (change: (selected: Set<string>) => Set<string>) => void;
  rowClass?: (row: T) => string;
  rowName?: (row: T) => string;
}

export function Table<T>(props: TableProps<T>) {
  const { columns, rows, rowKey, selected, onSelect } = props;
  const isAll = rows.length > 0 && selected !== undefined && rows.every((row) => selected.has(rowKey(row)));
  const toggle = (keys: string[], isOn: boolean) => {
    onSelect?.((before) => {
      const next = new Set(before);
      for (const key of keys) isOn ? next.add(key) : next.delete(key);
      return next;
    });
  };
  return (
    <div class="table-room" tabIndex={0} role="region" aria-label={props.label}>
      <table aria-label={props.label}>
        <thead>
          <tr>
            {onSelect && (
              <th class="pick" scope="col">
                <input
                  type="checkbox"
                  aria-label="Select all of this page"
                  checked={isAll}
                  onChange={(event) => toggle(rows.map(rowKey), event.currentTarget.checked)}
                />
              </th>
            )}
            {columns.map((column) => (
              <Heading key={column.id} column={column} order={props.order} onOrder={props.onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const key = rowKey(row);
            const isPicked = selected?.has(key) ?? false;
            return (
              <tr key={key} class={`${props.rowClass?.(row) ?? ""} ${isPicked ? "picked" : ""}`}>
                {onSelect && (
                  <td class="pick">
                    <input
                      type="checkbox"
                      aria-label={`Select ${props.rowName?.(row) ?? key}`}
                      checked={isPicked}
                      onChange={(event) => toggle([key], event.currentTarget.checked)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.id} class={column.isNumber ? "number" : ""}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface HeadingProps<T> {
  column: Column<T>;
  order: Order | undefined;
  onOrder: ((order: Order) => void) | undefined;
}

function Heading<T>({ column, order, onOrder }: HeadingProps<T>) {
  const key = column.sort;
  const className = column.isNumber ? "number" : "";
  if (!key || !onOrder) {
    return (
      <th scope="col" class={className} title={column.about}>
        {column.hidesTitle ? <span class="unseen">{column.title}</span> : column.title}
      </th>
    );
  }
  const isSorted = order?.sort === key;
  const direction = isSorted ? (order.isReversed ? "descending" : "ascending") : "none";
  // What is counted is looked at from its largest value.
  const choose = () => onOrder({ sort: key, isReversed: isSorted ? !order.isReversed : (column.isNumber ?? false) });
  return (
    <th scope="col" class={className} aria-sort={direction} title={column.about}>
      <button type="button" class="sort" onClick={choose}>
        {column.title}
        {isSorted && (
          <span aria-hidden="true" class="arrow">
            {order.isReversed ? " ↓" : " ↑"}
          </span>
        )}
      </button>
    </th>
  );
}

/** The columns of a list that are shown. */
export function useColumns<T>(list: string, columns: Column<T>[]): Column<T>[] {
  return shownOf(columns, useStore(columnChoice)[list]);
}

const shownOf = <T,>(columns: Column<T>[], chosen: string[] | undefined) => columns.filter((column) => (chosen ? chosen.includes(column.id) : !column.isExtra));

/** The keys of the API that these columns are made of. */
export const keysOf = <T,>(columns: Column<T>[]): string[] => columns.flatMap((column) => column.keys ?? (column.sort ? [column.sort] : []));

/** Chooses the columns of a list. */
export function ColumnChooser<T>({ list, columns }: { list: string; columns: Column<T>[] }) {
  const shown = useColumns(list, columns).map((column) => column.id);
  const element = useRef<HTMLDetailsElement>(null);
  // From the moment on at which it can be opened: a key that comes early must close it, too.
  useLayoutEffect(() => {
    const close = (event: Event) => {
      const isEscape = event instanceof KeyboardEvent && event.key === "Escape";
      const isOutside = event.type === "pointerdown" && !element.current?.contains(event.target as Node);
      if ((isEscape || isOutside) && element.current) element.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const toggle = (id: string, isOn: boolean) => {
    const choices = columnChoice.get();
    const before = shownOf(columns, choices[list]).map((column) => column.id);
    const next = columns.map((column) => column.id).filter((one) => (one === id ? isOn : before.includes(one)));
    columnChoice.set({ ...choices, [list]: next });
  };
  const forget = () => {
    const { [list]: _, ...others } = columnChoice.get();
    columnChoice.set(others);
  };
  return (
    <details class="chooser" ref={element}>
      <summary class="button">Columns</summary>
      <fieldset>
        <legend class="unseen">Columns</legend>
        {columns.map((column) => (
          <label key={column.id}>
            <input
              type="checkbox"
              checked={shown.includes(column.id)}
              disabled={column.id === "name"}
              onChange={(event) => toggle(column.id, event.currentTarget.checked)}
            />
            {column.about ?? column.title}
          </label>
        ))}
        <button type="button" class="small" onClick={forget}>
          As at first
        </button>
      </fieldset>
    </details>
  );
}
