/** What is said to whoever names a pull that is not there, or meets others at it. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { PullKey } from "../store/runs.ts";

export const noPull = ({ pull }: Pick<PullKey, "pull">): SallyportError =>
  new SallyportError("api.not_found", `There is no pull ${pull}.`);

export const changed = (): SallyportError => new SallyportError("api.changed", "The pull is being changed by others.");
