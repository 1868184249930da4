/** The agent that is attacked: its bundle, on which hundreds of sessions take a third of the time, or what `SALLYPORT_AGENT_ENTRY` names. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT_MAIN, buildAgent } from "../../build/agent.ts";
import { agentEntry } from "../agent/entry.ts";
import { startWorld, type World } from "./world.ts";

export async function startAttacked(): Promise<World> {
  if (process.env.SALLYPORT_AGENT_ENTRY) return startWorld({ sallyport: agentEntry() });
  const folder = mkdtempSync(join(tmpdir(), "sallyport-attacked-"));
  const { folder: bundle } = await buildAgent(join(folder, "agent"));
  const world = await startWorld({ sallyport: join(bundle, AGENT_MAIN) });
  return {
    ...world,
    async close() {
      await world.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
