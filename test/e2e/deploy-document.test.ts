/** docs/deploy.md as a script, up to the point where Azure itself is needed: what it shows is what there is. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readPlan } from "@sallyport/cloud/src/cli/plan-file.ts";
import { readYaml } from "@sallyport/cloud/src/cli/yaml.ts";
import { afterDeploy } from "../../infra/hooks/after-deploy.ts";
import { buildCloud } from "../build/cloud.ts";
import { ROOT } from "../build/root.ts";
import { runCtl } from "./sallyportctl/run.ts";

const page = readFileSync(join(ROOT, "docs/deploy.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "sallyport-deploy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The file that the page writes, and the orchestrator's address in it: nobody answers there, nor at ours. */
const plan = /^\$ cat > pulls\.yaml <<'END'\n([\s\S]*?)^END$/m.exec(page)?.[1] ?? "";
const planFile = join(folder, "pulls.yaml");
writeFileSync(planFile, plan);
const NOWHERE = "https://127.0.0.1:1";

/** The commands that stand after a prompt, comments left out, and those that the last hook names. */
const commands = [...page.matchAll(/^\$ npx sallyportctl (.*?)(?: {2,}#.*)?$/gm)].map(([, args]) => args!.split(" "));

describe("docs/deploy.md", () => {
  it("lists the files of cloud/dist as the build makes them", async () => {
    const { files } = await buildCloud(join(folder, "cloud"));
    const listed = /^cloud: cloud\/dist\n((?: {2}\S.*\n)+)/m.exec(page)![1]!;
    const names = [...listed.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name);
    assert.deepEqual(
      names,
      files.map(({ name }) => name),
    );
  });

  it("has at least seven commands of sallyportctl", () => assert.ok(commands.length >= 7, `${commands.length}`));
  for (const args of commands)
    it(`sallyportctl ${args.join(" ")} is understood, and reaches for the orchestrator`, async () => {
      const placeholders: Record<string, string> = {
        AGENT: "0".repeat(32),
        "SHA256:…": `SHA256:${"a".repeat(43)}`,
        "https://func-….azurewebsites.net": NOWHERE,
        "pulls.yaml": planFile,
      };
      const given = args.map((arg) => placeholders[arg] ?? arg);
      const env = {
        PATH: process.env.PATH ?? "",
        HOME: folder,
        SALLYPORT_URL: NOWHERE,
        SALLYPORT_API_KEY: `sp_admin_${"a".repeat(43)}`,
        SALLYPORT_TENANT: "contoso",
      };
      const { exitCode, stderr } = await runCtl(given, env, "password\n");
      // 69: nobody answers there, which is as far as it can come.
      assert.equal(exitCode, 69, stderr);
    });

  it("defines a pull that the API takes", () => {
    const wanted = readPlan(readYaml(plan, "pulls.yaml"), "pulls.yaml");
    assert.deepEqual(
      wanted.map(({ tenant, pull }) => [tenant, pull]),
      [["contoso", "flights"]],
    );
  });

  it("shows the last hook's words", async () => {
    const said: string[] = [];
    const answers = [503, 200];
    const original = globalThis.fetch;
    globalThis.fetch = async () =>
      new Response(JSON.stringify({ code: "secrets.unavailable" }), { status: answers.shift() ?? 200 });
    try {
      const uri = "https://func-x.azurewebsites.net";
      await afterDeploy({ uri, origin: undefined, say: (line) => void said.push(line), pauseMs: 1, tries: 3 });
    } finally {
      globalThis.fetch = original;
    }
    for (const line of said) assert.ok(page.includes(line.replace("func-x", "func-…")), line);
  });
});
