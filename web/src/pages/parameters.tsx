import { useState } from "preact/hooks";
import { del, put } from "../api/client";
import { usePoll } from "../state/poll";
import { path } from "../state/route";
import { Empty, Head, Name, Section, Waiting } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Area, Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { value, visible } from "../ui/format";
import { Table } from "../ui/table";
import { tell } from "../ui/toast";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

interface Parameter {
  name: string;
  component?: string;
  vhost?: string;
  value: unknown;
}

/** Where a parameter is: one of a virtual host has a component. */
function address(parameter: Parameter): string {
  const { component, vhost, name } = parameter;
  return component === undefined ? `/api/global-parameters${path(name)}` : `/api/parameters${path(component, vhost ?? "/", name)}`;
}

export function ParametersPage(_: PageProps) {
  return (
    <>
      <Head title="Parameters" about="What is kept under a name, and given back: plugins and programs of operators use it." />
      <Parameters title="Of virtual hosts" base="/api/parameters" isGlobal={false} />
      <Parameters title="Of the whole broker" base="/api/global-parameters" isGlobal />
    </>
  );
}

function Parameters({ title, base, isGlobal }: { title: string; base: string; isGlobal: boolean }) {
  const polled = usePoll<Parameter[]>(base, base, { atLeastMs: 5000 });
  const [isNew, setNew] = useState(false);
  const remove = (parameter: Parameter) =>
    ask({
      title: `Delete parameter '${parameter.name}'?`,
      text: "Whoever reads it finds it no more.",
      act: "Delete",
      run: () => del(address(parameter)).then(polled.refresh),
      done: "The parameter is deleted.",
    });
  return (
    <Section
      title={title}
      aside={
        <button type="button" onClick={() => setNew(true)}>
          New parameter
        </button>
      }
    >
      <Waiting polled={polled} what="the parameters" />
      {polled.data?.length === 0 && <Empty>None.</Empty>}
      {polled.data && polled.data.length > 0 && (
        <Table
          label={title}
          rows={polled.data}
          rowKey={address}
          columns={[
            { id: "name", title: "Name", cell: (one) => <Name of={one.name} /> },
            ...(isGlobal
              ? []
              : [
                  { id: "component", title: "Component", cell: (one: Parameter) => <Name of={one.component ?? ""} /> },
                  { id: "vhost", title: "Virtual host", cell: (one: Parameter) => <Name of={one.vhost ?? ""} /> },
                ]),
            { id: "value", title: "Value", cell: (one) => <code>{visible(value(one.value))}</code> },
            {
              id: "acts",
              title: "Acts",
              hidesTitle: true,
              cell: (one) => (
                <button type="button" class="small danger-quiet" onClick={() => remove(one)}>
                  Delete
                </button>
              ),
            },
          ]}
        />
      )}
      {isNew && <ParameterDialog isGlobal={isGlobal} onClose={() => setNew(false)} after={polled.refresh} />}
    </Section>
  );
}

function ParameterDialog({ isGlobal, onClose, after }: { isGlobal: boolean; onClose: () => void; after: () => void }) {
  const [component, setComponent] = useState("");
  const [vhost, setVhost] = useState("/");
  const [name, setName] = useState("");
  const [text, setText] = useState("{}");
  const run = async () => {
    const given: unknown = JSON.parse(text);
    await put(address({ name, value: given, ...(isGlobal ? {} : { component, vhost }) }), isGlobal ? { name, value: given } : { component, vhost, name, value: given });
    tell(`Parameter '${name}' is kept.`);
    after();
  };
  return (
    <FormDialog title={isGlobal ? "New parameter of the whole broker" : "New parameter"} act="Keep" failed="Not kept" run={run} onClose={onClose}>
      {!isGlobal && <Text label="Component" value={component} onChange={setComponent} isRequired />}
      {!isGlobal && <VhostChoice value={vhost} onChange={setVhost} />}
      <Text label="Name" value={name} onChange={setName} isRequired />
      <Area label="Value, as JSON" value={text} onChange={setText} rows={4} />
    </FormDialog>
  );
}
