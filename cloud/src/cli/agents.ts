/** `sallyportctl agents list|keys|approve|drain|resume|revoke`. */
import { writeFileSync } from "node:fs";
import { agentKey } from "@sallyport/shared/crypto/agent-key.ts";
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { agentView } from "./answers.ts";
import { CliError, EXIT } from "./exit.ts";
import { table } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { agentArgument, asName, type Call, demandYes, does, verb } from "./verb.ts";
import { count, when, yesNo } from "./words.ts";

interface SiteOptions extends CommonOptions {
  readonly site: string;
}
interface ApproveOptions extends SiteOptions {
  readonly fingerprint: string;
}
interface KeysOptions extends SiteOptions {
  readonly out: string;
}
interface RevokeOptions extends SiteOptions {
  readonly yes?: boolean;
}

const SITE = ["--site <id>", "the agent's site", asName] as const;

export function addAgents(program: Command): void {
  const agents = program.command("agents").description("installations at a site");
  does<SiteOptions>(
    verb(
      agents,
      "list",
      "all agents of a site, with their fingerprints",
      "agents list --site oslo --tenant contoso",
    ).requiredOption(...SITE),
    async (call, { site }) => {
      const all = await call.api.list(agentsPath(call, site), agentView);
      const heads = ["AGENT", "STATUS", "HOST", "VERSION", "SEEN", "LOCKED", "DRAINING", "JOURNAL", "FINGERPRINT"];
      const rows = all.map((agent) => [
        agent.id,
        agent.status,
        agent.host,
        agent.version,
        when(agent.seenAt, Date.now()),
        yesNo(agent.locked),
        yesNo(agent.draining || agent.drainedAt !== null),
        journalText(agent, Date.now()),
        agent.fingerprint,
      ]);
      const paint = (cell: string, head: string) => (head === "STATUS" ? call.coloured(cell) : cell);
      const none = [`Site ${site} has no agent. Next: sallyportctl codes create --site ${site}`];
      call.print(all, all.length === 0 ? none : table(heads, rows, paint));
    },
  );
  does<KeysOptions>(
    verb(
      agents,
      "keys",
      "writes the public keys of a site's agents, for the customer's `sallyport credential seal --keys`",
      "agents keys --site oslo --out oslo-keys.json",
    )
      .requiredOption(...SITE)
      .requiredOption("--out <file>", "what is written"),
    async (call, { site, out }) => {
      const all = await call.api.get(`${call.tenantPath()}/sites/${site}/agent-keys`, z.array(agentKey));
      writeFileSync(out, `${JSON.stringify(all, null, 2)}\n`);
      call.print(all, [
        `${all.length} agents' keys are in ${out}. The customer takes each by the fingerprint that its agent shows.`,
      ]);
    },
  );
  does<ApproveOptions>(
    verb(
      agents,
      "approve",
      "lets a pending agent work, if its fingerprint is the one that its owner sees",
      "agents approve 5f0c…9a --site oslo --fingerprint SHA256:9fLw…2Zc",
    )
      .addArgument(agentArgument())
      .requiredOption(...SITE)
      .requiredOption("--fingerprint <text>", "what `sallyport status` shows on the agent's machine", asFingerprint),
    async (call, { site, fingerprint }, id = "") => {
      const path = agentsPath(call, site);
      const found = (await call.api.list(path, agentView)).find((agent) => agent.id === id);
      if (found === undefined) {
        const message = `Site ${site} lists no agent ${id}, so its fingerprint cannot be compared. It was not approved.`;
        throw new CliError(EXIT.no, message, `See what there is: sallyportctl agents list --site ${site}`);
      }
      if (found.fingerprint !== fingerprint) {
        const message = `Agent ${id} has another fingerprint: ${found.fingerprint}. It was not approved.`;
        const next =
          "Ask its owner to read theirs again. If it stays different, revoke the agent: somebody else enrolled.";
        throw new CliError(EXIT.refused, message, next);
      }
      const agent = await call.api.post(`${path}/${id}/approve`, {}, agentView);
      call.print(agent, [`Agent ${agent.id} is ${agent.status}.`]);
    },
  );
  for (const [name, about, ends] of [
    ["drain", "sends an agent no new sessions; those that run go on", "gets no new sessions"],
    ["resume", "sends a drained agent sessions again", "gets sessions again"],
  ] as const)
    does<SiteOptions>(
      verb(agents, name, about, `agents ${name} 5f0c…9a --site oslo`)
        .addArgument(agentArgument())
        .requiredOption(...SITE),
      async (call, { site }, id = "") => {
        const agent = await call.api.post(`${agentsPath(call, site)}/${id}/${name}`, {}, agentView);
        call.print(agent, [`Agent ${agent.id} ${ends}.`]);
      },
    );
  does<RevokeOptions>(
    verb(agents, "revoke", "ends an agent's access for good", "agents revoke 5f0c…9a --site oslo --yes")
      .addArgument(agentArgument())
      .requiredOption(...SITE)
      .option("--yes", "do it"),
    async (call, options, id = "") => {
      demandYes(options, `Agent ${id} would lose its access at once, and would have to enrol again.`);
      const agent = await call.api.post(`${agentsPath(call, options.site)}/${id}/revoke`, {}, agentView);
      call.print(agent, [`Agent ${agent.id} is ${agent.status}.`]);
    },
  );
}

/** `10,442`, or `ALTERED 3 h ago` until somebody has looked and approved the agent again. */
const journalText = ({ journal, journalAlert }: z.infer<typeof agentView>, nowMs: number): string =>
  journalAlert === null ? (journal === null ? "-" : count(journal.seq)) : `ALTERED ${when(journalAlert.at, nowMs)}`;

const agentsPath = (call: Call, site: string): string => `${call.tenantPath()}/sites/${site}/agents`;

function asFingerprint(text: string): string {
  if (/^SHA256:[A-Za-z0-9_-]{43}$/.test(text)) return text;
  throw new InvalidArgumentError("a fingerprint is SHA256: and 43 characters");
}
