/**
 * A program as small as an update takes: it lies where the agent would, says by `run/status.json` what an agent says, and ends when it
 * is told to. `behaviour.json` beside it says what is wrong with it.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [, , state = ""] = process.argv;
const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, name), "utf8"));
const { version } = read("../release.json") as { version: string };
const { behaviour } = read("behaviour.json") as { behaviour: "works" | "ends" | "deaf" | "offline" };
const startedAt = new Date().toISOString();

const note = (what: string): void => appendFileSync(join(state, "told"), `${version} ${what}\n`);

function tell(): void {
  const at = new Date().toISOString();
  const status = {
    ...{ v: 1, at, pid: process.pid, startedAt, version },
    channel: behaviour === "offline" ? { state: "offline", why: "broken" } : { state: "online", since: startedAt },
    canary: { heardAt: behaviour === "deaf" ? null : at, canaryAt: null, missed: 0 },
  };
  writeFileSync(join(state, "run/status.json.new"), JSON.stringify(status));
  renameSync(join(state, "run/status.json.new"), join(state, "run/status.json"));
}

mkdirSync(join(state, "run"), { recursive: true });
note("started");
if (behaviour === "ends") process.exit(1);
process.on("SIGTERM", () => {
  note("drained");
  process.exit(0);
});
tell();
setInterval(tell, 100);
process.send?.("up");
