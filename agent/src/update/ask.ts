/** Asks the orchestrator which releases there are for this agent, and believes only those that both signatures stand for. */
import { fromBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { type ErrorCode, isErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Channel, offeredReleases, type Ring } from "@sallyport/shared/release/manifest.ts";
import { z } from "zod";
import type { Pinned } from "../state.ts";
import { askSigned, type SignedDeps } from "../supervisor/signed.ts";
import { type VerifiedRelease, verifyRelease } from "./verify.ts";

/** The path of the releases of a channel that have reached a ring, newest first. */
const releasesPath = (channel: Channel, ring: Ring): string => `/api/agent/releases/${channel}/${ring}`;

export interface Offered {
  readonly releases: readonly VerifiedRelease[];
  /** Why some were left out: somebody should know. */
  readonly refused: readonly string[];
  /** By how much this machine's clock was corrected for the orchestrator. */
  readonly offsetMs: number;
}

const problem = z.object({ code: z.string() });

/** @throws network.* and what the orchestrator refuses with */
export async function askReleases(
  deps: SignedDeps & { readonly releaseKeys: readonly string[]; readonly pinned: () => Pick<Pinned, "keys"> },
  { channel, ring }: { readonly channel: Channel; readonly ring: Ring },
  signal: AbortSignal,
): Promise<Offered> {
  const { answer, offsetMs } = await askSigned(deps, { method: "GET", path: releasesPath(channel, ring) }, signal);
  if (answer.status !== 200) throw refusalOf(answer.status, answer.body);
  const parsed = offeredReleases.safeParse(answer.body);
  if (!parsed.success)
    throw new SallyportError("update.refused", "The orchestrator's releases do not fit their schema.");
  const releases: VerifiedRelease[] = [];
  const refused: string[] = [];
  for (const { manifest, signature, statement } of parsed.data.releases) {
    const signed = { manifest: fromBase64url(manifest) ?? Buffer.alloc(0), signature, statement };
    const verified = await verifyRelease(signed, deps.releaseKeys, deps.pinned());
    if (verified.ok) releases.push(verified.release);
    else refused.push(verified.why);
  }
  return { releases, refused: [...new Set(refused)], offsetMs };
}

export function refusalOf(status: number, body: unknown): SallyportError {
  const code = problem.safeParse(body).data?.code ?? "";
  const known: ErrorCode = isErrorCode(code) ? code : "network.unreachable";
  return new SallyportError(known, `The orchestrator answered ${status} when it was asked for a release.`);
}
