import { useState } from "preact/hooks";
import { del, put } from "../api/client";
import type { Permission, User } from "../api/types";
import { usePoll } from "../state/poll";
import { link, path, useFlag } from "../state/route";
import { identity } from "../state/session";
import { Badge, Empty, Head, Name, Note, Waiting } from "../ui/basics";
import { ask } from "../ui/dialog";
import { Check, Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { counted } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { tell } from "../ui/toast";
import type { PageProps } from "./routes";

export const TAGS: [string, string][] = [
  ["administrator", "everything"],
  ["policymaker", "policies and parameters"],
  ["monitoring", "sees everybody's connections, and the node"],
  ["management", "sees these pages, and one's own connections"],
  ["impersonator", "may publish as somebody else"],
];

export function removeUser(name: string, after: () => void): void {
  ask({
    title: `Delete user '${name}'?`,
    text: "Its permissions go with it, and its connections are closed.",
    act: "Delete",
    typed: name,
    run: () => del(`/api/users${path(name)}`).then(after),
    done: `User '${name}' is deleted.`,
  });
}

export function UsersPage(_: PageProps) {
  const polled = usePoll<User[]>("/api/users", "users", { atLeastMs: 5000 });
  const permissions = usePoll<Permission[]>("/api/permissions", "permissions", { atLeastMs: 5000 });
  const [isNew, setNew] = useFlag("new");
  const own = identity.get()?.name;
  const vhostsOf = (name: string) => (permissions.data ?? []).filter((one) => one.user === name).map((one) => one.vhost);
  const columns: Column<User>[] = [
    { id: "name", title: "Name", cell: (user) => <a class="main-link" href={link(["users", user.name])}><Name of={user.name} /></a> },
    { id: "tags", title: "Tags", cell: (user) => <span class="marks">{user.tags.length ? user.tags.map((tag) => <Badge key={tag}>{tag}</Badge>) : <span class="faint">none: cannot use these pages</span>}</span> },
    {
      id: "vhosts",
      title: "May enter",
      cell: (user) => {
        const vhosts = vhostsOf(user.name);
        return vhosts.length ? vhosts.map((vhost, at) => <span key={vhost} class="one-of"><Name of={vhost} />{at < vhosts.length - 1 && ","}</span>) : <Badge tone="warn">no virtual host</Badge>;
      },
    },
    { id: "password", title: "Password", cell: (user) => (user.password_hash ? "yes" : <span class="faint">none: cannot log in with one</span>) },
    {
      id: "acts",
      title: "Acts",
      hidesTitle: true,
      cell: (user) =>
        user.name !== own && (
          <button type="button" class="small danger-quiet" onClick={() => removeUser(user.name, polled.refresh)}>
            Delete
          </button>
        ),
    },
  ];
  return (
    <>
      <Head title="Users">
        <button type="button" class="primary" onClick={() => setNew(true)}>
          New user
        </button>
      </Head>
      <Waiting polled={polled} what="the users" />
      {polled.data?.length === 0 && <Empty>No users.</Empty>}
      {polled.data && polled.data.length > 0 && <Table label={counted(polled.data.length, "user")} columns={columns} rows={polled.data} rowKey={(user) => user.name} />}
      {isNew && <UserDialog onClose={() => setNew(false)} after={polled.refresh} />}
    </>
  );
}

interface UserDialogProps {
  user?: User;
  onClose: () => void;
  after: () => void;
}

/** Makes a user, or gives one other tags or another password. */
export function UserDialog({ user, onClose, after }: UserDialogProps) {
  const [name, setName] = useState(user?.name ?? "");
  const [password, setPassword] = useState("");
  const [tags, setTags] = useState(user?.tags ?? []);
  const run = async () => {
    const secret = password ? { password } : { password_hash: user?.password_hash ?? "" };
    await put(`/api/users${path(name)}`, { ...secret, tags: tags.join(",") });
    tell(user ? `User '${name}' is changed.` : `User '${name}' is there. Give it permissions in a virtual host.`);
    after();
  };
  return (
    <FormDialog title={user ? `Change '${user.name}'` : "New user"} act={user ? "Change" : "Make user"} failed="Not done" run={run} onClose={onClose}>
      {!user && <Text label="Name" value={name} onChange={setName} isRequired />}
      <Text label="Password" type="password" value={password} onChange={setPassword} autoComplete="new-password" about={user ? "Empty: it stays as it is." : "Empty: it cannot log in with a password."} />
      <fieldset class="stack">
        <legend>Tags</legend>
        {TAGS.map(([tag, about]) => (
          <Check key={tag} label={`${tag}: ${about}`} value={tags.includes(tag)} onChange={(isOn) => setTags(isOn ? [...tags, tag] : tags.filter((one) => one !== tag))} />
        ))}
      </fieldset>
      {tags.includes("administrator") && <Note tone="warn">An administrator may do everything in all virtual hosts.</Note>}
    </FormDialog>
  );
}
