import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { silentSince } from "./api/client";
import { ROOT } from "./api/root";
import { LoginPage } from "./pages/login";
import { NAVIGATION, route } from "./pages/routes";
import { go, link, place } from "./state/route";
import { allows, identity, leave, type Identity } from "./state/session";
import { useStore } from "./state/store";
import { Loading, Note } from "./ui/basics";
import { Questions } from "./ui/dialog";
import { Toasts } from "./ui/toast";
import { Mark } from "./ui/mark";
import { Palette } from "./ui/palette";
import { Topbar } from "./ui/topbar";
import { clock } from "./ui/format";

export function App() {
  const who = useStore(identity);
  const silent = useStore(silentSince);
  if (who === undefined) {
    return silent ? <Silent since={silent} /> : <Loading />;
  }
  if (who === null) return <LoginPage />;
  return <Shell who={who} />;
}

function Silent({ since }: { since: number }) {
  return (
    <div class="silent" role="alert">
      The broker has not answered since {clock(since, Date.now())}. Asking again every 2 seconds; what you see is from before.
    </div>
  );
}

function Shell({ who }: { who: Identity }) {
  const { parts } = useStore(place);
  const silent = useStore(silentSince);
  const [isOpen, setOpen] = useState(false);
  const [isFinding, setFinding] = useState(false);
  const found = route(parts);
  const main = useRef<HTMLElement>(null);
  const where = parts.join("/");
  const first = useRef(true);

  // Before it is painted: the focus must not be taken from what somebody has chosen meanwhile.
  useLayoutEffect(() => {
    if (parts[0] === "logout") {
      // Whoever logs in next must not be led here again.
      go([]);
      void leave();
    }
    setOpen(false);
    document.title = [parts.at(-1), found?.found.title, "Leveret"].filter((text, at, all) => text && all.indexOf(text) === at).join(" · ");
    if (first.current) {
      first.current = false;
      return;
    }
    // Who cannot see the page hears where it leads.
    scrollTo(0, 0);
    main.current?.querySelector("h1")?.focus({ preventScroll: true });
  }, [where]);

  // As soon as the page is there, keys are heard.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      setFinding(true);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  return (
    <div class={`shell ${isOpen ? "open" : ""}`}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        To the content
      </a>
      <aside class="side">
        <a class="brand" href="#/">
          <Mark />
          <span>Leveret</span>
        </a>
        <nav id="navigation" aria-label="Pages">
          {NAVIGATION.map((group, at) => (
            <div key={group.title} class="nav-group">
              {/* No heading: the first one of a page is its own. */}
              <p class="nav-title" id={`nav-${at}`}>
                {group.title}
              </p>
              <ul aria-labelledby={`nav-${at}`}>
                {group.items.map((item) => {
                  const isHere = item.path.length === 0 ? parts.length === 0 : item.path.every((part, at) => parts[at] === part);
                  if (item.needs && !allows(who.tags, item.needs)) return null;
                  return (
                    <li key={item.title}>
                      <a href={link(item.path)} aria-current={isHere ? "page" : undefined}>
                        {item.title}
                      </a>
                    </li>
                  );
                })}
              </ul>
            </div>
          ))}
        </nav>
        <Elsewhere tags={who.tags} />
      </aside>
      <div class="right">
        <Topbar who={who} isOpen={isOpen} onMenu={() => setOpen(!isOpen)} onFind={() => setFinding(true)} />
        {silent > 0 && <Silent since={silent} />}
        <main id="main" ref={main} tabIndex={-1}>
          <Content parts={parts} who={who} key={where} />
        </main>
      </div>
      {isFinding && <Palette onClose={() => setFinding(false)} />}
      <Questions />
      <Toasts />
    </div>
  );
}

/** Pages that are no part of these; and which of these somebody is not offered, and why. */
function Elsewhere({ tags }: { tags: string[] }) {
  const missing = NAVIGATION.flatMap((group) => group.items).filter((item) => item.needs && !allows(tags, item.needs));
  return (
    <div class="elsewhere">
      {missing.length > 0 && (
        <details>
          <summary>What is missing here?</summary>
          <ul>
            {missing.map((item) => (
              <li key={item.title}>
                {item.title}: needs the tag {item.needs}
              </li>
            ))}
          </ul>
        </details>
      )}
      <a href={`${ROOT}/api/index.html`}>HTTP API</a>
      <a href={`${ROOT}/cli/index.html`}>Command line</a>
    </div>
  );
}

function Content({ parts, who }: { parts: string[]; who: Identity }) {
  const found = route(parts);
  if (!found) {
    return (
      <div class="page">
        <h1>There is no such page</h1>
        <p>
          <a href="#/">Go to the overview</a>
        </p>
      </div>
    );
  }
  const { page: Page, needs, title } = found.found;
  if (needs && !allows(who.tags, needs)) {
    return (
      <div class="page">
        <h1>{title}</h1>
        <Note>
          This page needs the tag <code>{needs}</code>. User '{who.name}' has {who.tags.length ? who.tags.join(", ") : "no tags"}. An administrator can add it.
        </Note>
      </div>
    );
  }
  return (
    <div class="page">
      <Page args={found.args} />
    </div>
  );
}
