/** Runs a pull through the public API and fetches what it made, as a customer of the platform would. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { partsView, RunView } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import type { Api } from "./api.ts";

export interface FetchedRun {
  readonly run: RunView;
  /** From asking for the run to its end. */
  readonly seconds: number;
  /** Bytes of all parts. */
  readonly bytes: number;
  /** Files on this machine; no manifest where nothing was new. */
  readonly manifest: string | null;
  readonly parts: readonly string[];
}

const ENDED: ReadonlySet<string> = new Set(["published", "failed", "cancelled", "superseded", "expired"]);
const POLL_MS = 150;

/** Starts a run and waits for its end, whatever that is. */
export async function runPull(
  api: Api,
  tenant: string,
  pull: string,
  onPoll: (run: RunView) => void = () => undefined,
  pollMs: number = POLL_MS,
): Promise<{ run: RunView; seconds: number }> {
  const startedMs = performance.now();
  let run = await api.post<RunView>(`/tenants/${tenant}/pulls/${pull}/runs`, {});
  while (!ENDED.has(run.state)) {
    onPoll(run);
    await pause(pollMs);
    run = await api.get<RunView>(`/tenants/${tenant}/runs/${run.id}`);
  }
  return { run, seconds: (performance.now() - startedMs) / 1000 };
}

/** Fetches the manifest and the parts through their links into `folder/<run>/`, and checks each part's hash. */
export async function fetchRun(
  api: Api,
  tenant: string,
  ended: { run: RunView; seconds: number },
  folder: string,
): Promise<FetchedRun> {
  const view = await api.get<z.infer<typeof partsView>>(`/tenants/${tenant}/runs/${ended.run.id}/parts`);
  const target = join(folder, ended.run.id);
  mkdirSync(target, { recursive: true });
  const parts: string[] = [];
  for (const [index, part] of view.parts.entries()) {
    const bytes = await download(part.url);
    if (createHash("sha256").update(bytes).digest("base64url") !== part.sha256)
      throw new Error(`${part.path} has another hash than its manifest says`);
    const file = join(
      target,
      `${String(index + 1).padStart(5, "0")}.${part.path.slice(part.path.lastIndexOf(".") + 1)}`,
    );
    writeFileSync(file, bytes);
    parts.push(file);
  }
  const manifest = view.manifest === null ? null : join(target, "manifest.json");
  if (view.manifest !== null && manifest !== null) writeFileSync(manifest, await download(view.manifest.url));
  const bytes = view.parts.reduce((sum, part) => sum + part.bytes, 0);
  return { ...ended, bytes, manifest, parts };
}

async function download(url: string): Promise<Buffer> {
  const [response] = await new Promise<[import("node:http").IncomingMessage]>((resolve, reject) => {
    // Storage by a connection string is on plain HTTP here, as Azurite is; in Azure it never is.
    (url.startsWith("https:") ? getSecurely : get)(url, (answer) => resolve([answer])).on("error", reject);
  });
  const bytes = await buffer(response);
  if (response.statusCode !== 200) throw new Error(`a link answered ${response.statusCode}`);
  return bytes;
}
