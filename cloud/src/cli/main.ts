#!/usr/bin/env node
/** The command line `sallyportctl`: what the platform team does with the orchestrator's API, one file a noun. */
import { Command, CommanderError } from "commander";
import { addAgents } from "./agents.ts";
import { addCodes } from "./codes.ts";
import { addConnections } from "./connections.ts";
import { EXIT } from "./exit.ts";
import { addKeys } from "./keys.ts";
import { fail } from "./print.ts";
import { addPulls } from "./pulls.ts";
import { addRuns } from "./runs.ts";
import { refuseSecrets } from "./secret.ts";
import { addSites } from "./sites.ts";
import { addTenants } from "./tenants.ts";

const program = new Command("sallyportctl")
  .description("Sallyport's orchestrator from the command line: pulls, their runs, and who takes part.")
  .addHelpText(
    "after",
    `
In the environment:
  SALLYPORT_URL        the orchestrator, https://…
  SALLYPORT_API_KEY    the API key; or SALLYPORT_KEY_FILE, a file of mode 0600 that holds it
  SALLYPORT_TENANT     the tenant, where --tenant is not given
  NODE_EXTRA_CA_CERTS  further authorities to trust, in PEM
  NO_COLOR             no colours

Exit codes: 0 ok, 1 the answer is no, 64 usage, 69 unreachable, 75 try again, 77 refused, 78 configuration

Start here:
  sallyportctl pulls list --tenant contoso
  sallyportctl pulls run orders --watch
  sallyportctl runs list orders`,
  );
for (const add of [addRuns, addPulls, addTenants, addSites, addAgents, addCodes, addConnections, addKeys]) add(program);
for (const command of [program, ...program.commands, ...program.commands.flatMap((noun) => noun.commands)]) {
  command.exitOverride();
}

// Whoever reads us may stop reading, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const args = process.argv.slice(2);
try {
  refuseSecrets(args, process.env.SALLYPORT_API_KEY);
  await program.parseAsync();
} catch (error) {
  // Help and the like exit 0; every other word of the parser is about usage, and it has said it already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else fail(error, args.includes("--json"));
}
