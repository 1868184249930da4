/**
 * What runs under Wine in the agent's place, bundled for the Node that Wine can run: our service host as it is, and an agent that
 * answers no requests. It ends by 75 at first and by 78 at last, and says in the log what it was told.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { windowsFolders } from "@sallyport/agent/src/config.ts";
import { reportEvent, unregisterSource } from "@sallyport/agent/src/install/windows/event-log.ts";
import { runHost } from "@sallyport/agent/src/install/windows/host-main.ts";
import { installService } from "@sallyport/agent/src/install/windows/service.ts";
import { windows } from "@sallyport/agent/src/install/windows/system.ts";
import { statePaths } from "@sallyport/agent/src/state.ts";

const layout = windowsFolders();
const paths = statePaths(layout.state);
const [script = "", ...verb] = process.argv.slice(1);
const program = [process.execPath, script] as const;
const installation = { windows, layout, paths, program, programFiles: [], rewrap: () => true };
const say = (text: string): void => writeFileSync(1, `${text}\n`);
/** The test's word to the agent of how it is to end at once. */
const END_WITH = join(layout.state, "end-with");

switch (verb.join(" ")) {
  case "install":
    // Keys are wrapped by the product's own command, which was asked before.
    say(JSON.stringify(await installService(installation, { insecureFiles: true })));
    break;
  case "service host --insecure-files":
    // Wine keeps access lists as far as Unix has rights, so none of ours would be as it should be.
    await runHost({ layout, paths, agent: [...program, "agent"], programFiles: undefined, checksRights: false });
    process.exit();
    break;
  case "account":
    say(JSON.stringify({ isAdministrator: windows.isAdministrator(".\\somebody") }));
    break;
  case "agent":
    agent();
    break;
  case "event":
    reportEvent({ number: 100, type: 4, text: "a test" });
    break;
  case "no source":
    unregisterSource();
    unregisterSource();
    break;
  default:
    throw new Error(`no such verb: ${verb.join(" ")}`);
}

function agent(): void {
  say(
    JSON.stringify({ msg: "up", pid: process.pid, parent: process.ppid, variables: Object.keys(process.env).sort() }),
  );
  for (const code of [75, 78]) {
    const order = `${END_WITH}-${code}`;
    if (!existsSync(order)) continue;
    rmSync(order);
    process.exit(code);
  }
  process.stdin
    .on("end", () => {
      say(JSON.stringify({ msg: "asked to stop", pid: process.pid }));
      process.exit(0);
    })
    .resume();
}
