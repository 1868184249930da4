/** Puts a release where the updater looks for it. The three documents come last: without its archive a release is not there. */
import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { writeFileDurably } from "../state.ts";
import type { SignedDeps } from "../supervisor/signed.ts";
import { fileFor } from "./decide.ts";
import { downloadArchive } from "./download.ts";
import type { UpdatePlaces } from "./places.ts";
import type { VerifiedRelease } from "./verify.ts";

/** @throws network.*, update.refused; ENOSPC */
export async function stage(
  deps: SignedDeps & { readonly places: UpdatePlaces; readonly offsetMs: number },
  { manifest, signed }: VerifiedRelease,
  platform: string,
  signal: AbortSignal,
): Promise<void> {
  const { places } = deps;
  const file = fileFor(manifest, platform);
  if (file === undefined) return;
  mkdirSync(places.staged, { recursive: true, mode: 0o700 });
  // An administrator's command has the agent's rights here, but for Windows, where the agent may make junctions.
  if (process.platform === "win32" && lstatSync(places.staged).isSymbolicLink())
    throw new SallyportError("update.refused", `${places.staged} is a link: remove it.`);
  // The documents of another release must not stand beside this one's archive.
  rmSync(places.stagedManifest, { force: true });
  await downloadArchive(deps, manifest.version, file, signal);
  writeFileDurably(places.stagedSignature, signed.signature);
  writeFileDurably(places.stagedStatement, `${signed.statement}\n`);
  writeFileDurably(places.stagedManifest, Buffer.from(signed.manifest).toString("utf8"));
}
