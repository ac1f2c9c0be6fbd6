import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Page, Policy } from "../api/types";
import { usePoll } from "./poll";
import { path, queryText } from "./route";
import { may } from "./session";

export interface IdlePolicy {
  vhost: string;
  name: string;
  pattern: string;
  applyTo: string;
}

const LOOK_AGAIN_MS = 30_000;
/** More policies than these are not asked for one by one. */
const POLICIES_MAX = 30;

/** How many queues and exchanges a policy could apply to, by their names. */
export async function matches(policy: Policy): Promise<number> {
  const to = policy["apply-to"];
  const kinds = to === "exchanges" ? ["exchanges"] : to === "all" ? ["queues", "exchanges"] : ["queues"];
  const counts = kinds.map(async (kind) => {
    const query = queryText({ page: 1, page_size: 1, name: policy.pattern, use_regex: true, disable_stats: true, columns: "name" });
    return (await get<Page<unknown>>(`/api/${kind}${path(policy.vhost)}${query}`)).filtered_count;
  });
  return (await Promise.all(counts)).reduce((sum, one) => sum + one, 0);
}

/** The policies that apply to nothing. `names` moves when a queue or an exchange is made or deleted: else the answer is the same. */
export function useIdlePolicies(names: string): IdlePolicy[] {
  const polled = usePoll<Policy[]>(may("policymaker") ? "/api/policies" : null, "policies", { atLeastMs: LOOK_AGAIN_MS });
  const [idle, setIdle] = useState<IdlePolicy[]>([]);
  const policies = polled.data;
  const looked = useRef({ policies, names: "" });
  useEffect(() => {
    if (!policies || (looked.current.policies === policies && looked.current.names === names)) return;
    let isOver = false;
    const look = async () => {
      const found: IdlePolicy[] = [];
      for (const policy of policies.slice(0, POLICIES_MAX)) {
        const count = await matches(policy).catch(() => 1);
        const applyTo = policy["apply-to"] === "all" ? "queue or exchange" : policy["apply-to"].replace("_", " ").replace(/s$/, "");
        if (count === 0) found.push({ vhost: policy.vhost, name: policy.name, pattern: policy.pattern, applyTo });
      }
      if (isOver) return;
      looked.current = { policies, names };
      setIdle(found);
    };
    void look();
    return () => {
      isOver = true;
    };
  }, [policies, polled.at]);
  return idle;
}
