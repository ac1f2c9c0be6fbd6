/** An OpenAPI document as a list that one can read. */

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: { type: string };
}

interface Described {
  summary: string;
  description: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: { properties: Record<string, { type: string; description: string }>; required: string[] } }> };
}

export interface ApiDocument {
  info: { version: string };
  paths: Record<string, Record<string, Described>>;
}

export interface Field {
  name: string;
  place: "query" | "body";
  type: string;
  isRequired: boolean;
  about: string;
}

export interface Operation {
  method: string;
  path: string;
  summary: string;
  /** Who may do it. */
  needs: string;
  fields: Field[];
}

export interface Group {
  title: string;
  operations: Operation[];
}

/** Titles of the first parts of paths, in the order in which people look for them. */
const TITLES: [string, string][] = [
  ["overview", "Overview"],
  ["queues", "Queues"],
  ["exchanges", "Exchanges"],
  ["bindings", "Bindings"],
  ["connections", "Connections"],
  ["channels", "Channels"],
  ["consumers", "Consumers"],
  ["users", "Users"],
  ["permissions", "Permissions"],
  ["topic-permissions", "Permissions"],
  ["vhosts", "Virtual hosts"],
  ["policies", "Policies"],
  ["operator-policies", "Policies"],
  ["vhost-limits", "Limits"],
  ["user-limits", "Limits"],
  ["parameters", "Parameters"],
  ["global-parameters", "Parameters"],
  ["definitions", "Definitions"],
  ["all-configuration", "Definitions"],
  ["health", "Health"],
  ["aliveness-test", "Health"],
  ["healthchecks", "Health"],
  ["nodes", "Node"],
  ["leveret", "Leveret's own"],
];
const OTHER = "Others";

function titleOf(path: string): string {
  const first = path.split("/")[2] ?? "";
  return TITLES.find(([part]) => part === first)?.[1] ?? OTHER;
}

function fieldsOf(described: Described): Field[] {
  const query = (described.parameters ?? []).filter((one) => one.in === "query");
  const ofQuery = query.map((one): Field => ({ name: one.name, place: "query", type: one.schema.type, isRequired: one.required ?? false, about: one.description ?? "" }));
  const schema = Object.values(described.requestBody?.content ?? {})[0]?.schema;
  const ofBody = Object.entries(schema?.properties ?? {}).map(
    ([name, one]): Field => ({ name, place: "body", type: one.type, isRequired: schema?.required.includes(name) ?? false, about: one.description }),
  );
  return [...ofQuery, ...ofBody];
}

/** All operations that have these words, by what they are about. */
export function grouped(document: ApiDocument, wanted: string): Group[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Operation[]>([...TITLES.map(([, title]): [string, Operation[]] => [title, []]), [OTHER, []]]);
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const text = `${method} ${path} ${described.summary}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
      groups.get(titleOf(path))?.push({ method, path, summary: described.summary, needs: described.description, fields: fieldsOf(described) });
    }
  }
  return [...groups].filter(([, operations]) => operations.length > 0).map(([title, operations]) => ({ title, operations }));
}
