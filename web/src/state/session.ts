import { ApiError, authorizationOf, get, loginRefused, setAuthorization } from "../api/client";
import { createStore } from "./store";

export interface Identity {
  name: string;
  tags: string[];
}

/** Who is logged in; `undefined` while that is being found out, `null` for nobody. */
export const identity = createStore<Identity | null | undefined>(undefined);

/** Why somebody is asked to log in again. */
export const loginNote = createStore("");

const KEY = "leveret.authorization";

/** Goes on with the credentials of this tab, if there are any. */
export async function resume(): Promise<void> {
  loginRefused.watch(() => {
    if (identity.get()) logout("The broker does not accept your name and password any more.");
  });
  const stored = sessionStorage.getItem(KEY);
  if (!stored) {
    identity.set(null);
    return;
  }
  setAuthorization(stored);
  try {
    identity.set(await get<Identity>("/api/whoami"));
  } catch (error) {
    if (error instanceof ApiError && error.isUnreachable) {
      setTimeout(resume, 2000);
    } else {
      logout("");
    }
  }
}

export async function login(name: string, password: string): Promise<void> {
  setAuthorization(authorizationOf(name, password));
  try {
    const answer = await get<Identity>("/api/whoami");
    sessionStorage.setItem(KEY, authorizationOf(name, password));
    loginNote.set("");
    identity.set(answer);
  } catch (error) {
    setAuthorization(undefined);
    throw error;
  }
}

export function logout(note: string): void {
  sessionStorage.removeItem(KEY);
  setAuthorization(undefined);
  loginNote.set(note);
  identity.set(null);
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
