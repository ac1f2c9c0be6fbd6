import { useState } from "preact/hooks";
import { get, post } from "../api/client";
import { compare, type DefinitionsFile, type SectionReport } from "../state/definitions";
import { vhostFilter } from "../state/preferences";
import { path } from "../state/route";
import { useStore } from "../state/store";
import { Failure, Head, Note, Section } from "../ui/basics";
import { count, visible } from "../ui/format";
import { save } from "../ui/save";
import { Table } from "../ui/table";
import { tell } from "../ui/toast";
import type { PageProps } from "./routes";

interface Read {
  name: string;
  file: DefinitionsFile;
  report: SectionReport[];
}

export function DefinitionsPage(_: PageProps) {
  const vhost = useStore(vhostFilter);
  const base = `/api/definitions${vhost ? path(vhost) : ""}`;
  const whole = vhost ? `virtual host '${visible(vhost)}'` : "the whole broker";
  return (
    <>
      <Head title="Definitions" about={`Users, virtual hosts, permissions, policies, exchanges, queues and bindings of ${whole}, without messages. Choose a virtual host above to have it alone.`} />
      <Export base={base} vhost={vhost} />
      <Import key={base} base={base} vhost={vhost} />
    </>
  );
}

function Export({ base, vhost }: { base: string; vhost: string }) {
  const [error, setError] = useState<unknown>();
  const run = async () => {
    setError(undefined);
    try {
      const definitions = await get<DefinitionsFile>(base);
      const of = vhost ? `-${vhost.replace(/[^A-Za-z0-9._-]+/g, "_")}` : "";
      save(`definitions${of}-${new Date().toISOString().slice(0, 10)}.json`, "application/json", JSON.stringify(definitions, null, 2));
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Section title="Export">
      <div class="stack">
        <p>A file as RabbitMQ writes it. It has the hashes of passwords: keep it where only you can read it.</p>
        <Failure error={error} what="Not exported" />
        <div>
          <button type="button" class="primary" onClick={() => void run()}>
            Save definitions
          </button>
        </div>
      </div>
    </Section>
  );
}

function Import({ base, vhost }: { base: string; vhost: string }) {
  const [read, setRead] = useState<Read>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const look = async (input: HTMLInputElement) => {
    setError(undefined);
    setRead(undefined);
    const chosen = input.files?.[0];
    if (!chosen) return;
    try {
      const file = JSON.parse(await chosen.text()) as DefinitionsFile;
      const there = await get<DefinitionsFile>(base);
      setRead({ name: chosen.name, file, report: compare(file, there, vhost) });
    } catch (failure) {
      setError(failure);
    }
  };
  const load = async () => {
    if (!read) return;
    setBusy(true);
    setError(undefined);
    try {
      await post(base, read.file);
      tell(`'${read.name}' is imported.`);
      setRead(undefined);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section title="Import">
      <div class="stack">
        <p>Choose a file, of Leveret or of RabbitMQ 3 or 4. You see what it would bring before anything is done. Nothing is deleted by an import.</p>
        <input type="file" accept=".json,application/json" aria-label="File of definitions" onChange={(event) => void look(event.currentTarget)} />
        <Failure error={error} what="Not imported" />
        {read && <Report read={read} />}
        {read && (
          <div>
            <button type="button" class="primary" disabled={isBusy || read.report.length === 0} onClick={() => void load()}>
              Import
            </button>
          </div>
        )}
      </div>
    </Section>
  );
}

/** "policies" is "policy". */
const singular = (section: string) => section.replaceAll("_", " ").replace(/ies$/, "y").replace(/s$/, "");

function Report({ read }: { read: Read }) {
  if (read.report.length === 0) return <Note tone="warn">There is nothing in this file that could be imported.</Note>;
  const differing = read.report.flatMap((report) => report.differs.map((one) => ({ ...one, section: report.section })));
  return (
    <div class="stack">
      <Table
        label={`What ${read.name} would bring`}
        rows={read.report}
        rowKey={(report) => report.section}
        columns={[
          { id: "section", title: "Section", cell: (report) => report.section.replace("_", " ") },
          { id: "new", title: "New", isNumber: true, cell: (report) => count(report.isNew) },
          { id: "there", title: "There already", isNumber: true, cell: (report) => count(report.isThere) },
          { id: "differs", title: "Of these, not the same", isNumber: true, cell: (report) => count(report.differs.length) },
        ]}
      />
      {differing.length > 0 && (
        <Note tone="warn">
          There, but not the same. Queues and exchanges stay as they are; everything else becomes what the file says:
          <ul>
            {differing.slice(0, 20).map((one) => (
              <li key={`${one.section} ${one.name}`}>
                {singular(one.section)} '{visible(one.name)}': {one.keys.join(", ")}
              </li>
            ))}
            {differing.length > 20 && <li>and {differing.length - 20} more</li>}
          </ul>
        </Note>
      )}
    </div>
  );
}
