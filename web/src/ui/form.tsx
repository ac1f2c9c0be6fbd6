import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Failure } from "./basics";
import { Dialog } from "./dialog";

/** What `run` answers when it did its work, and there is something to see in the form. */
export const STAY = Symbol("stay");

/** Does what a form is for, once at a time, and keeps why it was not done. */
export function useSubmit(run: () => Promise<unknown>): { error: unknown; isBusy: boolean; submit: (event: Event) => void } {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const act = async () => {
    if (isBusy) return;
    setBusy(true);
    setError(undefined);
    try {
      await run();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void act();
  };
  return { error, isBusy, submit };
}

interface FormDialogProps {
  title: ComponentChildren;
  /** The word on the button. */
  act: string;
  /** What is said before the broker's reason. */
  failed: string;
  run: () => Promise<unknown>;
  onClose: () => void;
  children: ComponentChildren;
  isWide?: boolean;
  isDanger?: boolean;
  isDisabled?: boolean;
  cancel?: string;
}

/** A form in a window, which closes when it is done. */
export function FormDialog(props: FormDialogProps) {
  const { error, isBusy, submit } = useSubmit(async () => {
    if ((await props.run()) !== STAY) props.onClose();
  });
  return (
    <Dialog title={props.title} onClose={props.onClose} wide={props.isWide}>
      <form class="stack" onSubmit={submit}>
        {props.children}
        <Failure error={error} what={props.failed} />
        <footer class="buttons">
          <button type="button" onClick={props.onClose}>
            {props.cancel ?? "Cancel"}
          </button>
          <button type="submit" class={props.isDanger ? "danger" : "primary"} disabled={isBusy || props.isDisabled}>
            {props.act}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

interface FormBoxProps {
  summary: string;
  act: string;
  failed: string;
  run: () => Promise<unknown>;
  children: ComponentChildren;
}

/** A form that is folded up until somebody wants it. */
export function FormBox({ summary, act, failed, run, children }: FormBoxProps) {
  const { error, isBusy, submit } = useSubmit(run);
  return (
    <details class="form-box">
      <summary>{summary}</summary>
      <form class="stack" onSubmit={submit}>
        {children}
        <Failure error={error} what={failed} />
        <div>
          <button type="submit" class="primary" disabled={isBusy}>
            {act}
          </button>
        </div>
      </form>
    </details>
  );
}
