import "./theme";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ROOT } from "../api/root";
import { grouped, type ApiDocument, type Operation } from "./operations";

/** Every path of the API, found by a word. */
function Reference({ all }: { all: ApiDocument }) {
  const [wanted, setWanted] = useState("");
  const groups = grouped(all, wanted);
  const count = groups.reduce((sum, group) => sum + group.operations.length, 0);
  return (
    <>
      <div class="reading-filter" role="search">
        <input type="search" aria-label="Find a path or a word" placeholder="Find a path or a word" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <span class="faint" role="status">
          {count} {count === 1 ? "operation" : "operations"} of version {all.info.version}
        </span>
      </div>
      {groups.map((group) => (
        <section key={group.title}>
          <h2>{group.title}</h2>
          <ul class="operations">
            {group.operations.map((one) => (
              <Row key={`${one.method} ${one.path}`} operation={one} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Row({ operation }: { operation: Operation }) {
  const { method, path, summary, needs, fields } = operation;
  return (
    <li>
      <p class="operation">
        <span class={`method ${method}`}>{method.toUpperCase()}</span> <code>{path}</code>
      </p>
      <p>
        {summary}. <span class="faint">{needs}</span>
      </p>
      {fields.length > 0 && (
        <ul class="fields">
          {fields.map((field) => (
            <li key={`${field.place} ${field.name}`}>
              <code>{field.name}</code>{" "}
              <span class="faint">
                {field.place}, {field.type}
                {field.isRequired && ", required"}
              </span>{" "}
              {field.about}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function Page() {
  const [all, setAll] = useState<ApiDocument>();
  const [error, setError] = useState("");
  useEffect(() => {
    fetch(`${ROOT}/api/leveret/openapi.json`)
      .then((answer) => answer.json() as Promise<ApiDocument>)
      .then(setAll)
      .catch((failure: unknown) => setError(String(failure)));
  }, []);
  if (error) return <p role="alert">The list cannot be shown: {error}</p>;
  return all ? <Reference all={all} /> : <p class="faint">Asking the broker…</p>;
}

const root = document.getElementById("paths");
if (root) render(<Page />, root);
