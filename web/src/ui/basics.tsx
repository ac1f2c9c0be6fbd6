import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { createStore, useStore } from "../state/store";
import { clock, relative, value, visible } from "./format";

/** The time, once a second, while somebody looks. */
export const now = createStore(Date.now());
setInterval(() => {
  if (!document.hidden) now.set(Date.now());
}, 1000);

/** Characters. */
const SHORT = 24;

/** A name that somebody else chose: text only, of its own direction, and never empty. */
export function Name({ of, empty = "(no name)" }: { of: string; empty?: string }) {
  if (of === "") return <span class="faint">{empty}</span>;
  const text = visible(of);
  // What is short stays on one line; nothing long may widen the page.
  return <bdi class={text.length <= SHORT ? "name short" : "name"}>{text}</bdi>;
}

/** A moment: how long ago, and the local time on demand. */
export function Moment({ at }: { at: number | undefined | null }) {
  const current = useStore(now);
  if (!at) return <span class="faint">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={clock(at, current)}>
      {relative(at, current)}
    </time>
  );
}

/** A moment as local time, and how long ago. */
export function FullMoment({ at }: { at: number | undefined | null }) {
  const current = useStore(now);
  if (!at) return <span class="faint">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()}>
      {clock(at, current)} <span class="faint">({relative(at, current)})</span>
    </time>
  );
}

export type Tone = "good" | "warn" | "bad" | "quiet";

export function Badge({ tone = "quiet", children, title }: { tone?: Tone; children: ComponentChildren; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

export function Note({ tone = "quiet", children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <div class={`note ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** What the broker says when something cannot be shown or done. */
export function Failure({ error, what }: { error: unknown; what: string }) {
  if (!error) return null;
  if (error instanceof ApiError) {
    if (error.isUnreachable) return <Note tone="bad">{what}: the broker does not answer.</Note>;
    const word = error.word && error.word !== error.reason ? ` ${error.word}` : "";
    return (
      <Note tone="bad">
        {what}: <span class="said">{visible(error.reason || error.word || "no reason given")}</span>
        <span class="faint">
          {" "}
          (status {error.status}
          {word})
        </span>
      </Note>
    );
  }
  return (
    <Note tone="bad">
      {what}: {String(error)}
    </Note>
  );
}

/** Facts, each with its name. */
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, fact]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table of arguments, headers or the like. */
export function Arguments({ of, none = "none" }: { of: Record<string, unknown> | undefined; none?: string }) {
  const entries = Object.entries(of ?? {});
  if (entries.length === 0) return <span class="faint">{none}</span>;
  return (
    <ul class="arguments">
      {entries.map(([key, item]) => (
        <li key={key}>
          <span class="key">
            <Name of={key} />
          </span>{" "}
          <bdi>{visible(value(item))}</bdi>
        </li>
      ))}
    </ul>
  );
}

interface SectionProps {
  title: ComponentChildren;
  aside?: ComponentChildren;
  children: ComponentChildren;
  id?: string;
}

export function Section({ title, aside, children, id }: SectionProps) {
  return (
    <section class="section" id={id}>
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

export interface Crumb {
  text: ComponentChildren;
  href?: string;
}

interface HeadProps {
  title: ComponentChildren;
  crumbs?: Crumb[];
  about?: ComponentChildren;
  children?: ComponentChildren;
}

/** The head of a page: where one is, what it is, and what one can do here. */
export function Head({ title, crumbs = [], about, children }: HeadProps) {
  return (
    <header class="page-head">
      <div>
        {crumbs.length > 0 && (
          <nav class="crumbs" aria-label="Where you are">
            {crumbs.map((crumb, at) => (
              <span key={at}>{crumb.href ? <a href={crumb.href}>{crumb.text}</a> : crumb.text}</span>
            ))}
          </nav>
        )}
        <h1 tabIndex={-1}>{title}</h1>
        {about && <p class="about">{about}</p>}
      </div>
      {children && <div class="acts">{children}</div>}
    </header>
  );
}

interface TabsProps {
  label: string;
  tabs: { id: string; title: ComponentChildren }[];
  chosen: string;
  onChoose: (id: string) => void;
}

export function Tabs({ label, tabs, chosen, onChoose }: TabsProps) {
  const move = (event: KeyboardEvent, step: number) => {
    const at = tabs.findIndex((tab) => tab.id === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    event.preventDefault();
    onChoose(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowRight") move(event, 1);
    if (event.key === "ArrowLeft") move(event, -1);
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          id={`tab-${tab.id}`}
          type="button"
          role="tab"
          aria-selected={tab.id === chosen}
          tabIndex={tab.id === chosen ? 0 : -1}
          onClick={() => onChoose(tab.id)}
        >
          {tab.title}
        </button>
      ))}
    </div>
  );
}

/** Copies a text, and says so. */
export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure origin there is no clipboard but the old one.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setDone(true);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {done ? "Copied" : label}
    </button>
  );
}

/** What is missing when somebody may not do everything, on demand. */
export function Missing({ children }: { children: ComponentChildren }) {
  return (
    <details class="why">
      <summary>What is missing here?</summary>
      <p>{children}</p>
    </details>
  );
}

interface WaitingProps {
  polled: { data: unknown; error: ApiError | undefined };
  /** What is asked for, as in "Cannot show the queue". */
  what: string;
}

/** Nothing once the answer is there; that it is waited for, or why there is none, else. That the broker is silent, the page says above. */
export function Waiting({ polled: { data, error }, what }: WaitingProps) {
  if (error) return error.isUnreachable ? null : <Failure error={error} what={`Cannot show ${what}`} />;
  return data === undefined ? <Loading /> : null;
}

export function Loading() {
  return (
    <p class="loading" role="status">
      Asking the broker…
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
