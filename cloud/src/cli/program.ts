/** The nouns and verbs of `sallyportctl`, and its help. */
import { Command } from "commander";
import { addAgents } from "./agents.ts";
import { addApply } from "./apply.ts";
import { addAudit } from "./audit.ts";
import { addCodes } from "./codes.ts";
import { addConnections } from "./connections.ts";
import { addCredentials } from "./credentials.ts";
import { addEvents } from "./events.ts";
import { addKeys } from "./keys.ts";
import { addLogin } from "./login.ts";
import { addPulls } from "./pulls.ts";
import { addReleases } from "./releases.ts";
import { addRequests } from "./requests.ts";
import { addRuns } from "./runs.ts";
import { addSigningKey } from "./signing-key.ts";
import { addSites } from "./sites.ts";
import { addTenants } from "./tenants.ts";
import { addWebhooks } from "./webhooks.ts";

export function createProgram(): Command {
  const program = new Command("sallyportctl")
    .description("Sallyport's orchestrator from the command line: pulls, their runs, and who takes part.")
    // Errors of the parser are said where all others are.
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      "after",
      `
In the environment:
  SALLYPORT_URL        the orchestrator, https://…
  SALLYPORT_API_KEY    the API key; or SALLYPORT_KEY_FILE, a file of mode 0600 that holds it
  SALLYPORT_TENANT     the tenant, where --tenant is not given
  (what is missing is taken from what \`sallyportctl login\` keeps)
  NODE_EXTRA_CA_CERTS  further authorities to trust, in PEM
  NO_COLOR             no colours

Exit codes: 0 ok, 1 the answer is no, 64 usage, 69 unreachable, 70 a fault of this program, 75 try again, 77 refused, 78 configuration

Start here:
  sallyportctl login --url https://sallyport-contoso.azurewebsites.net --tenant contoso
  sallyportctl pulls list --tenant contoso
  sallyportctl pulls run orders --watch
  sallyportctl runs list orders
  sallyportctl diff -f pulls.yaml`,
    );
  for (const add of [
    addRuns,
    addPulls,
    addTenants,
    addSites,
    addAgents,
    addCodes,
    addConnections,
    addCredentials,
    addRequests,
    addEvents,
    addWebhooks,
    addKeys,
    addAudit,
    addReleases,
    addApply,
    addLogin,
    addSigningKey,
  ])
    add(program);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((noun) => noun.commands)]) {
    command.exitOverride();
  }
  return program;
}
