import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { login, loginNote } from "../state/session";
import { useStore } from "../state/store";
import { Note } from "../ui/basics";
import { Text } from "../ui/fields";
import { Mark } from "../ui/mark";

/** Why nobody gets in, in words that help. */
function reason(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.isUnreachable) return "The broker does not answer.";
  if (error.word === "not_authorised") {
    return `${error.reason}: this user has none of the tags that these pages need (management, policymaker, monitoring, administrator).`;
  }
  return "The broker does not know this name with this password. The user 'guest' may only come from the broker's own machine.";
}

export function LoginPage() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const note = useStore(loginNote);
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => form.current?.querySelector("input")?.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await login(name, password);
    } catch (failure) {
      setError(reason(failure));
      setBusy(false);
    }
  };

  return (
    <main class="login">
      <form ref={form} onSubmit={submit} class="stack">
        <h1>
          <Mark /> Leveret
        </h1>
        {note && <Note tone="warn">{note}</Note>}
        <Text label="Name" value={name} onChange={setName} isRequired autoComplete="username" />
        <Text label="Password" type="password" value={password} onChange={setPassword} autoComplete="current-password" />
        {error && <Note tone="bad">{error}</Note>}
        <button type="submit" class="primary" disabled={isBusy}>
          Log in
        </button>
        <p class="faint">
          A new broker knows the user <code>guest</code> with the password <code>guest</code>, from its own machine only.
        </p>
      </form>
    </main>
  );
}
