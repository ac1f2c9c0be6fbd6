import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { createStore, useStore } from "../state/store";
import { Failure } from "./basics";
import { tell } from "./toast";

interface DialogProps {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

/** A window over the page. The browser keeps the focus in it, and closes it with Escape. */
export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  // Before it is painted: what is typed right after the key that opens it must reach it.
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const onClick = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  // The event that a window is closed comes some time after it has gone: who goes on meanwhile would be in a page that takes it for open.
  const onCancel = (event: Event) => {
    if (event.target !== element.current) return;
    event.preventDefault();
    onClose();
  };
  return (
    <dialog ref={element} class={wide ? "wide" : ""} onCancel={onCancel} onClose={onClose} onClick={onClick} aria-labelledby="dialog-title">
      <div class="dialog-body">
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="plain" aria-label="Close" onClick={onClose}>
            ✕
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** Something that is done only after it was asked for once more. */
export interface Question {
  title: string;
  /** What will happen, with the count of what is lost. */
  text: ComponentChildren;
  /** The word on the button. */
  act: string;
  /** What must be typed first, where nothing brings it back. */
  typed?: string;
  isHarmless?: boolean;
  run: () => Promise<unknown>;
  /** What is said when it is done. */
  done: string | ((answer: unknown) => string);
}

const question = createStore<Question | null>(null);

export function ask(what: Question): void {
  question.set(what);
}

/** Shows the question that is asked, if there is one. */
export function Questions() {
  const asked = useStore(question);
  return asked && <Asked key={numberOf(asked)} asked={asked} />;
}

const numbers = new WeakMap<Question, number>();
let asks = 0;

/** Each question is a window of its own, even if it has the words of the one before. */
function numberOf(asked: Question): number {
  const number = numbers.get(asked) ?? (asks += 1);
  numbers.set(asked, number);
  return number;
}

function Asked({ asked }: { asked: Question }) {
  const [typed, setTyped] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  // An answer may come after this one was closed and another one asked.
  const close = () => question.get() === asked && question.set(null);
  const isReady = asked.typed === undefined || typed === asked.typed;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    setBusy(true);
    setError(undefined);
    try {
      const answer = await asked.run();
      close();
      tell(typeof asked.done === "string" ? asked.done : asked.done(answer));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={asked.title} onClose={close}>
      <form onSubmit={submit} class="stack">
        <div>{asked.text}</div>
        {asked.typed !== undefined && (
          <label class="field">
            <span>
              Type <code dir="auto">{asked.typed}</code> to go on
            </span>
            <input value={typed} onInput={(event) => setTyped(event.currentTarget.value)} autoComplete="off" spellcheck={false} />
          </label>
        )}
        <Failure error={error} what="Not done" />
        <footer class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={asked.isHarmless ? "primary" : "danger"} disabled={!isReady || isBusy}>
            {asked.act}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
