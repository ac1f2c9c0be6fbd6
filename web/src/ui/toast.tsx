import { createStore, useStore } from "../state/store";

interface Said {
  id: number;
  text: string;
}

const said = createStore<Said[]>([]);
let next = 1;

/** Says for a moment that something was done. */
export function tell(text: string): void {
  const id = next++;
  said.set([...said.get(), { id, text }].slice(-4));
  setTimeout(() => said.set(said.get().filter((one) => one.id !== id)), 6000);
}

export function Toasts() {
  const all = useStore(said);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {all.map((one) => (
        <div key={one.id} class="toast">
          {one.text}
        </div>
      ))}
    </div>
  );
}
