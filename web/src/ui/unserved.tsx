import type { ApiError } from "../api/client";
import { Failure, Note } from "./basics";

/** An endpoint of Leveret's own that this broker does not have; or why it does not answer. */
export function Unserved({ error, what }: { error: ApiError | undefined; what: string }) {
  if (!error || error.isUnreachable) return null;
  if (error.isAbsent) return <Note>{what}: this broker does not serve it (status 404). A later version of Leveret does.</Note>;
  return <Failure error={error} what={what} />;
}
