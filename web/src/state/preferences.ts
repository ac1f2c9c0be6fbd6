import { createStore, type Store } from "./store";

/** A preference that outlives the visit. Where the browser keeps nothing, it lasts as long as the page. */
function kept<T>(key: string, initial: T, isValid: (value: unknown) => value is T): Store<T> {
  const name = `leveret.${key}`;
  let start = initial;
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(name) ?? "null");
    if (isValid(stored)) start = stored;
  } catch {
    // Nothing readable is stored.
  }
  const store = createStore(start);
  store.watch(() => {
    try {
      localStorage.setItem(name, JSON.stringify(store.get()));
    } catch {
      // The browser does not allow it.
    }
  });
  return store;
}

const oneOf =
  <T>(...values: T[]) =>
  (value: unknown): value is T =>
    (values as unknown[]).includes(value);

export type Theme = "auto" | "light" | "dark";
export const theme = kept<Theme>("theme", "auto", oneOf<Theme>("auto", "light", "dark"));

/** Seconds between two looks at the broker; 0 for none. */
export const REFRESH_CHOICES = [1, 5, 10, 30, 0] as const;
export const refreshSeconds = kept<number>("refresh", 5, oneOf<number>(...REFRESH_CHOICES));

/** How far back charts reach, by the title of the choice. */
export const rangeChoice = kept<string>("range", "10 min", (value): value is string => typeof value === "string");

/** The virtual host that lists show; an empty text for all. */
export const vhostFilter = createStore("");

/** The columns that somebody has chosen, by list. */
export const columnChoice = kept<Record<string, string[]>>(
  "columns",
  {},
  (value): value is Record<string, string[]> =>
    typeof value === "object" && value !== null && Object.values(value).every(Array.isArray),
);

/** Puts the theme on the document, and keeps it there. */
export function applyTheme(): void {
  const apply = () => {
    const chosen = theme.get();
    const isDark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
    themeChanged.set(themeChanged.get() + 1);
  };
  theme.watch(apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

/** Moves with each change of the theme: charts are drawn on a canvas, and must be drawn again. */
export const themeChanged = createStore(0);
