/** What a file of definitions would bring: read and compared before anything is sent. */

export interface DefinitionsFile {
  [section: string]: unknown;
}

type Thing = Record<string, unknown>;

export interface SectionReport {
  section: string;
  isNew: number;
  isThere: number;
  /** There, and not the same: what differs, at most a few. */
  differs: { name: string; keys: string[] }[];
}

const SECTIONS: [string, string[]][] = [
  ["vhosts", ["name"]],
  ["users", ["name"]],
  ["permissions", ["vhost", "user"]],
  ["topic_permissions", ["vhost", "user", "exchange"]],
  ["parameters", ["vhost", "component", "name"]],
  ["global_parameters", ["name"]],
  ["policies", ["vhost", "name"]],
  ["queues", ["vhost", "name"]],
  ["exchanges", ["vhost", "name"]],
  ["bindings", ["vhost", "source", "destination_type", "destination", "routing_key", "arguments"]],
];

/** What of a thing is compared: a hash of a password is another one each time, and says nothing. */
const COMPARED: Record<string, string[]> = {
  queues: ["durable", "auto_delete", "arguments"],
  exchanges: ["type", "durable", "auto_delete", "internal", "arguments"],
  policies: ["pattern", "apply-to", "priority", "definition"],
  permissions: ["configure", "write", "read"],
  users: ["tags"],
};

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a.localeCompare(b)).map(([key, item]) => [key, sorted(item)]));
};

const same = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

const things = (file: DefinitionsFile, section: string): Thing[] => {
  const list = file[section];
  return Array.isArray(list) ? list.filter((one): one is Thing => typeof one === "object" && one !== null) : [];
};

/** Compares a file with what is there. In a file of one virtual host, things do not name it. */
export function compare(file: DefinitionsFile, there: DefinitionsFile, vhost: string): SectionReport[] {
  const reports = SECTIONS.map(([section, keys]): SectionReport => {
    const id = (one: Thing) => JSON.stringify(keys.map((key) => sorted(key === "vhost" ? (one["vhost"] ?? (vhost || "/")) : (one[key] ?? ""))));
    const known = new Map(things(there, section).map((one) => [id(one), one]));
    const report: SectionReport = { section, isNew: 0, isThere: 0, differs: [] };
    for (const one of things(file, section)) {
      const old = known.get(id(one));
      if (!old) {
        report.isNew += 1;
        continue;
      }
      report.isThere += 1;
      const differing = (COMPARED[section] ?? []).filter((key) => key in one && !same(one[key], old[key]));
      if (differing.length > 0) report.differs.push({ name: String(one["name"] ?? one["user"] ?? ""), keys: differing });
    }
    return report;
  });
  return reports.filter((report) => report.isNew + report.isThere > 0);
}
