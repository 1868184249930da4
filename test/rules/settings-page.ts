/** docs/settings.md, made from cloud/src/settings.ts, and from infra/ for who sets what. `npx node test/rules/pages.ts` writes it. */
import { fileURLToPath } from "node:url";
import { SETTINGS } from "@sallyport/cloud/src/settings.ts";
import type { z } from "zod";
import { bicepFiles, readInfra, settingNames } from "./infra.ts";
import type { Source } from "./source.ts";

export const SETTINGS_PAGE: string = fileURLToPath(new URL("../../docs/settings.md", import.meta.url));

const HEAD = `# Settings of the function app

Made from \`cloud/src/settings.ts\` by \`npx node test/rules/pages.ts\`. They are environment variables, read once when the app is loaded; what is missing or wrong is named in one line of the
log, never with its value ([azure.md](azure.md#the-app-does-not-start)). A value may be a Key Vault reference. The agent has none of these: its file is [agent.yaml](agent-yaml.md).

In Azure \`azd provision\` sets what [infra/](../infra/README.md) makes, and of the rest what stands in azd's environment under the same name (\`azd env set NAME VALUE\`, then \`azd provision\`). What is
left to you goes into \`infra/app/function-app.bicep\`: settings that were changed in the portal are gone with the next \`azd provision\`.

| setting | default | secret | who sets it | meaning |
|---|---|---|---|---|
`;

/** What it is without a value: of the schema, or told beside it; `needed` where there has to be one. */
function defaultOf(schema: z.ZodType): string {
  const { otherwise } = schema.meta() ?? {};
  if (otherwise !== undefined) return String(otherwise);
  const parsed = schema.safeParse(undefined);
  if (!parsed.success) return "needed";
  return parsed.data === undefined || parsed.data === "" ? "none" : `\`${parsed.data}\``;
}

function setBy(name: string, texts: readonly Source[], made: ReadonlySet<string>): string {
  if (name.startsWith("WEBSITE_")) return "the platform";
  const parameters = texts.find(({ path }) => path === "infra/main.parameters.json")!.text;
  if (parameters.includes(`\${${name}=`)) return name.endsWith("_SHA256") ? "azd, by a hook" : "you, `azd env set`";
  return made.has(name) ? "`azd provision`" : "you, where you need it";
}

export function settingsPage(): string {
  const infra = readInfra();
  const made = new Set(settingNames(bicepFiles(infra)));
  const rows = Object.entries(SETTINGS).map(([name, schema]) => {
    const { description, secret = "no" } = schema.meta() ?? {};
    return `| \`${name}\` | ${defaultOf(schema)} | ${secret} | ${setBy(name, infra, made)} | ${description} |`;
  });
  return `${HEAD}${rows.join("\n")}\n`;
}
