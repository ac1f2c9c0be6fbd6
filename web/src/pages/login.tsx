import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { usePoll } from "../state/poll";
import { waysOf, type AuthTold, type Provider } from "../state/providers";
import { login, loginAt, loginNote } from "../state/session";
import { useStore } from "../state/store";
import { Loading, Note } from "../ui/basics";
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

const ONCE = { once: true };

export function LoginPage() {
  const note = useStore(loginNote);
  const told = usePoll<AuthTold>("/api/auth", "auth", ONCE);
  // Who does not say how one logs in takes a password.
  const ways = told.data || told.error ? waysOf(told.data ?? {}) : undefined;
  return (
    <main class="login">
      <div class="login-box stack">
        <h1>
          <Mark /> Leveret
        </h1>
        {note && (
          <div role="alert">
            <Note tone="warn">{note}</Note>
          </div>
        )}
        {!ways && <Loading />}
        {ways && ways.providers.length > 0 && <Providers of={ways.providers} />}
        {ways && ways.hasPassword && ways.providers.length > 0 && <p class="login-or faint">or with a name of the broker's own</p>}
        {ways?.hasPassword && <PasswordForm isFirst={ways.providers.length === 0} />}
        {ways && !ways.hasPassword && <p class="faint">This broker takes no passwords here.</p>}
      </div>
    </main>
  );
}

/** A button for everybody who knows users. */
function Providers({ of }: { of: Provider[] }) {
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const leaveFor = async (provider: Provider) => {
    setBusy(true);
    setError("");
    try {
      await loginAt(provider);
    } catch (failure) {
      // A browser says no more of an address that it may not, or cannot, ask.
      const isUnreachable = failure instanceof TypeError;
      setError(isUnreachable ? `${provider.title} does not answer, or does not let pages of ${location.origin} ask it (CORS).` : failure instanceof Error ? failure.message : String(failure));
      setBusy(false);
    }
  };
  return (
    <div class="stack">
      {of.map((provider) =>
        provider.beginsThere ? (
          <a key={provider.title} class="button" href={provider.url} rel="noreferrer">
            Log in at {provider.title}
          </a>
        ) : (
          <button key={provider.title} type="button" class="primary" disabled={isBusy} onClick={() => void leaveFor(provider)}>
            Log in with {provider.title}
          </button>
        ),
      )}
      {error && <Note tone="bad">{error}</Note>}
    </div>
  );
}

function PasswordForm({ isFirst }: { isFirst: boolean }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => {
    if (isFirst) form.current?.querySelector("input")?.focus();
  }, []);

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
    <form ref={form} onSubmit={submit} class="stack">
      <Text label="Name" value={name} onChange={setName} isRequired autoComplete="username" />
      <Text label="Password" type="password" value={password} onChange={setPassword} autoComplete="current-password" />
      {error && <Note tone="bad">{error}</Note>}
      <button type="submit" class={isFirst ? "primary" : ""} disabled={isBusy}>
        Log in
      </button>
      <p class="faint">
        A new broker knows the user <code>guest</code> with the password <code>guest</code>, from its own machine only.
      </p>
    </form>
  );
}
