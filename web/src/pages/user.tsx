import { useState } from "preact/hooks";
import type { User } from "../api/types";
import { usePoll } from "../state/poll";
import { go, link, path } from "../state/route";
import { identity } from "../state/session";
import { Badge, Head, Name, Waiting } from "../ui/basics";
import { LimitsSection } from "./limits";
import { PermissionsSection } from "./permissions";
import type { PageProps } from "./routes";
import { removeUser, UserDialog } from "./users";

export function UserPage({ args }: PageProps) {
  const name = args[0] ?? "";
  const polled = usePoll<User>(`/api/users${path(name)}`);
  const [isEditing, setEditing] = useState(false);
  const user = polled.data;
  return (
    <>
      <Head
        title={<Name of={name} />}
        crumbs={[{ text: "Users", href: link(["users"]) }]}
        about={user && <span class="marks">{user.tags.map((tag) => <Badge key={tag}>{tag}</Badge>)}</span>}
      >
        {user && (
          <button type="button" onClick={() => setEditing(true)}>
            Change tags or password
          </button>
        )}
        {user && name !== identity.get()?.name && (
          <button type="button" class="danger-quiet" onClick={() => removeUser(name, () => go(["users"]))}>
            Delete
          </button>
        )}
      </Head>
      <Waiting polled={polled} what="the user" />
      {user && <PermissionsSection by="user" name={name} />}
      {user && <LimitsSection kind="user" name={name} />}
      {isEditing && user && <UserDialog user={user} onClose={() => setEditing(false)} after={polled.refresh} />}
    </>
  );
}
