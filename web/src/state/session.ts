import { ApiError, authorizationOf, get, loginRefused, setCredentials, type Credentials } from "../api/client";
import { ROOT } from "../api/root";
import type { TokenLogin } from "./oauth";
import { CALLBACK, type Provider } from "./providers";
import { createStore } from "./store";

export interface Identity {
  name: string;
  tags: string[];
}

/** Who is logged in; `undefined` while that is being found out, `null` for nobody. */
export const identity = createStore<Identity | null | undefined>(undefined);

/** Why somebody is asked to log in again. */
export const loginNote = createStore("");

/** What this tab keeps: the header of a name with a password, or the tokens of a provider. */
// Of another broker behind the same proxy it has others.
const PASSWORD = `leveret.authorization${ROOT}`;
const TOKENS = `leveret.tokens${ROOT}`;
/** A broker that does not answer is asked again so much later. */
const RETRY_MS = 2000;

const oauth = () => import("./oauth");

/** Goes on with what this tab has, if it has anything. */
export async function resume(): Promise<void> {
  loginRefused.watch(() => {
    if (identity.get()) logout(keptTokens() ? "Your token has ended, and the provider gave no new one." : "The broker does not accept your name and password any more.");
  });
  try {
    if (location.pathname === ROOT + CALLBACK) await comeBack();
    await goOn(await kept());
  } catch (error) {
    logout(`The provider did not log you in: ${refusalOf(error)}`);
  }
}

/** What went wrong with a provider: in its own words, if it has said something. */
function refusalOf(error: unknown): string {
  const { error: word, error_description: text, message } = error as { error?: string; error_description?: string; message?: string };
  return text ?? word ?? message ?? String(error);
}

/** Takes what a provider has put into the address, and has the address of the pages again: a code is good for one time. */
async function comeBack(): Promise<void> {
  const address = new URL(location.href);
  // Its name tells where it is from the address of now, which changes.
  for (const icon of document.querySelectorAll<HTMLLinkElement>("link[rel=icon]")) icon.setAttribute("href", icon.href);
  history.replaceState(null, "", `${ROOT}/`);
  const { login, hash } = await (await oauth()).finish(address);
  keep(login);
  location.hash = hash;
}

const keep = (login: TokenLogin) => sessionStorage.setItem(TOKENS, JSON.stringify(login));

function keptTokens(): TokenLogin | undefined {
  const tokens = sessionStorage.getItem(TOKENS);
  return tokens ? (JSON.parse(tokens) as TokenLogin) : undefined;
}

async function kept(): Promise<Credentials | undefined> {
  const tokens = keptTokens();
  if (tokens) return new (await oauth()).TokenCredentials(tokens, keep);
  const password = sessionStorage.getItem(PASSWORD);
  return password ? { header: () => password } : undefined;
}

async function goOn(credentials: Credentials | undefined): Promise<void> {
  if (!credentials) {
    identity.set(null);
    return;
  }
  setCredentials(credentials);
  try {
    identity.set(await get<Identity>("/api/whoami"));
  } catch (error) {
    if (error instanceof ApiError && error.isUnreachable) {
      setTimeout(() => void goOn(credentials), RETRY_MS);
    } else {
      logout(keptTokens() ? tokenRefused(error) : "");
    }
  }
}

/** Why a broker does not let somebody in whom a provider knows. */
function tokenRefused(error: unknown): string {
  const reason = error instanceof ApiError ? error.reason || error.word : String(error);
  return `The provider knows you, but the broker does not accept its token: ${reason}. The token needs the broker's name as its audience, and a scope with a tag such as tag:management.`;
}

export async function login(name: string, password: string): Promise<void> {
  const header = authorizationOf(name, password);
  setCredentials({ header: () => header });
  try {
    const answer = await get<Identity>("/api/whoami");
    sessionStorage.setItem(PASSWORD, header);
    loginNote.set("");
    identity.set(answer);
  } catch (error) {
    setCredentials(undefined);
    throw error;
  }
}

/** Leaves for somebody who knows users. */
export async function loginAt(provider: Provider): Promise<void> {
  await (await oauth()).begin(provider);
}

/** Forgets who is logged in, and says why. */
export function logout(note: string): void {
  sessionStorage.removeItem(PASSWORD);
  sessionStorage.removeItem(TOKENS);
  setCredentials(undefined);
  loginNote.set(note);
  identity.set(null);
}

/** Logs out for good: where a provider knows the user, it would let the next one in without a question. */
export async function leave(): Promise<void> {
  const tokens = keptTokens();
  logout("");
  const end = tokens && (await (await oauth()).endOf(tokens));
  if (end) location.assign(end);
}

export type Tag = "management" | "policymaker" | "monitoring" | "administrator";

/** Whether the tags of a user allow what needs this tag. */
export function allows(tags: string[], needed: Tag): boolean {
  if (tags.includes("administrator")) return true;
  if (needed === "management") return ["management", "policymaker", "monitoring"].some((tag) => tags.includes(tag));
  return tags.includes(needed);
}

/** Whether whoever is logged in may do what needs this tag. */
export function may(needed: Tag): boolean {
  return allows(identity.get()?.tags ?? [], needed);
}
