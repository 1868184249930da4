/**
 * azd runs this after it deployed: waits until the app works. A role that was just assigned is not known everywhere at once, so it
 * tries: `/api/health` needs the vault's key and secrets, tables, blobs, the queue and the relay, and says what is wrong.
 */
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface DeployedDeps {
  /** Where the app is: SERVICE_API_URI. */
  readonly uri: string | undefined;
  /** Where agents find it, when that is not the same: SALLYPORT_ORIGIN. */
  readonly origin: string | undefined;
  say(line: string): void;
  readonly pauseMs: number;
  readonly tries: number;
}

/** @throws Error with what the app last answered, when it did not come up */
export async function afterDeploy({ uri, origin, say, pauseMs, tries }: DeployedDeps): Promise<void> {
  if (!uri) throw new Error("SERVICE_API_URI is not set: run azd provision first.");
  const base = uri.replace(/\/+$/, "");
  let last = "";
  for (let tried = 1; ; tried++) {
    const problem = await look(base);
    if (problem === undefined) break;
    if (tried === tries)
      throw new Error(`The app does not answer yet: ${problem}. docs/azure.md, "The app does not start".`);
    if (problem !== last) say(`Waiting: ${problem}`);
    last = problem;
    await pause(pauseMs);
  }
  say("The orchestrator answers, and its identity has the rights it needs.");
  say("");
  say(`  npx sallyportctl login --url ${(origin || base).replace(/\/+$/, "")}     (asks for the admin key)`);
  say("  npx sallyportctl tenants create contoso --name Contoso");
  say("");
}

/** Undefined when all is well. */
async function look(base: string): Promise<string | undefined> {
  try {
    const health = await fetch(`${base}/api/health`);
    const text = await health.text();
    return health.status === 200 ? undefined : `health is ${health.status}${reasonsOf(text)}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/** What is wrong, or the code of a problem (RFC 9457): docs/telemetry.md and docs/errors.md go on from there. */
function reasonsOf(text: string): string {
  try {
    const { wrong, code } = JSON.parse(text) as { wrong?: unknown; code?: unknown };
    const reasons = Array.isArray(wrong) ? wrong.join(", ") : code;
    return typeof reasons === "string" && reasons !== "" ? ` (${reasons})` : "";
  } catch {
    return "";
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { SERVICE_API_URI: uri, SALLYPORT_ORIGIN: origin } = process.env;
  await afterDeploy({ uri, origin, say: (line) => console.log(line), pauseMs: 10_000, tries: 90 });
}
