import { useState } from "preact/hooks";
import { put } from "../api/client";
import { may } from "../state/session";
import { Name } from "../ui/basics";
import { Text } from "../ui/fields";
import { FormDialog } from "../ui/form";
import { tell } from "../ui/toast";

/** The name of the cluster, which an administrator may change. */
export function ClusterName({ of, after }: { of: string; after: () => void }) {
  const [isEditing, setEditing] = useState(false);
  const [name, setName] = useState(of);
  const run = async () => {
    await put("/api/cluster-name", { name });
    tell(`The cluster is called '${name}'.`);
    after();
  };
  return (
    <>
      <Name of={of} />{" "}
      {may("administrator") && (
        <button type="button" class="small" onClick={() => (setName(of), setEditing(true))}>
          Change
        </button>
      )}
      {isEditing && (
        <FormDialog title="Name the cluster" act="Name it" failed="Not named" run={run} onClose={() => setEditing(false)}>
          <Text label="Name" value={name} onChange={setName} isRequired about="The API and these pages say it; clients are told the name that the broker was started with." />
        </FormDialog>
      )}
    </>
  );
}
