/** Rules over infra/: what a compiler would find, and what only the product knows. Each gives one sentence for each fault. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MAX_BODY_BYTES } from "@sallyport/cloud/src/access/body.ts";
import { field, literal, mentions, type Node, parseBicep, type Statement, within } from "./bicep.ts";
import { LOGGED, PLATFORM_SETTINGS, settingsMissing } from "./infra-facts.ts";
import { ROOT, type Source } from "./source.ts";

export interface BicepFile {
  readonly path: string;
  readonly statements: readonly Statement[];
}

/** The texts of infra/ and azure.yaml, by their paths in the repository. */
export function readInfra(): Source[] {
  const below = readdirSync(join(ROOT, "infra"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(bicep|json)$/.test(name))
    .map((name) => `infra/${name.replaceAll("\\", "/")}`);
  return [...below, "azure.yaml"].map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

export const bicepFiles = (sources: readonly Source[]): BicepFile[] =>
  sources
    .filter(({ path }) => path.endsWith(".bicep"))
    .map(({ path, text }) => ({ path, statements: parseBicep(text) }));

/** The object that a resource or module is given, also behind a condition or in a loop. */
export const body = ({ value }: Statement): Node | undefined =>
  [...within(value)].find(({ kind }) => kind === "object");

export const typeOf = (statement: Statement): string => statement.type.replace(/@.*/, "");

export interface Resource {
  readonly path: string;
  readonly statement: Statement;
  readonly body: Node | undefined;
}

/** What these files make, by type without version. */
export const made = (files: readonly BicepFile[], type: string): Resource[] =>
  files.flatMap(({ path, statements }) =>
    statements
      .filter((statement) => statement.keyword === "resource" && !statement.existing && typeOf(statement) === type)
      .map((statement) => ({ path, statement, body: body(statement) })),
  );

export const literals = (node: Node | undefined): string[] =>
  node?.kind === "array" ? node.items.map((item) => literal(item) ?? "?") : [];

/** The app settings that the function app is given, those too that are set only where there is a value. */
export const settingNames = (files: readonly BicepFile[]): string[] =>
  made(files, "Microsoft.Web/sites").flatMap(({ path, body: site }) => {
    const { statements } = files.find((file) => file.path === path)!;
    const optional = statements.find(({ keyword, name }) => keyword === "var" && name === "optional");
    const given = [field(site, "properties", "siteConfig", "appSettings"), optional?.value];
    return given.flatMap((value) => [...within(value)]).flatMap((node) => literal(field(node, "name")) ?? []);
  });

/** What a setting of the function app is, where its value is written out. */
const settingValue = (files: readonly BicepFile[], wanted: string): string | undefined =>
  made(files, "Microsoft.Web/sites")
    .flatMap(({ body: site }) => [...within(field(site, "properties", "siteConfig", "appSettings"))])
    .flatMap((node) => (literal(field(node, "name")) === wanted ? [literal(field(node, "value")) ?? "?"] : []))[0];

/** @param explained settings that docs/deploy.md has a row for, because infra/ leaves them at their defaults */
export function settingFaults(
  files: readonly BicepFile[],
  known: ReadonlySet<string>,
  explained: ReadonlySet<string>,
): string[] {
  const names = settingNames(files);
  const ours = names.filter((name) => !PLATFORM_SETTINGS.has(name));
  const missing = settingsMissing(ours.filter((name) => known.has(name)));
  const ftps = files.filter(({ statements }) =>
    statements.some(({ value }) => [...within(value)].some((node) => field(node, "ftpsState") !== undefined)),
  );
  const largest = Number(settingValue(files, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") ?? Number.NaN);
  return [
    ...(largest >= MAX_BODY_BYTES
      ? []
      : [`the host's limit of bodies is ${largest}, and the API takes ${MAX_BODY_BYTES}`]),
    ...ours.filter((name) => !known.has(name)).map((name) => `${name} is set, and nobody reads it`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is set twice`),
    ...names.filter((name) => name.includes(":")).map((name) => `${name}: the Flex plan refuses a colon`),
    ...missing.map((name) => `${name} is not set`),
    ...[...known]
      .filter((name) => !names.includes(name) && !explained.has(name) && !missing.includes(name))
      .map((name) => `${name} is read, and neither set nor explained in docs/deploy.md`),
    ...[...explained]
      .filter((name) => !known.has(name))
      .map((name) => `docs/deploy.md explains ${name}, and nobody reads it`),
    ...ftps.map(({ path }) => `${path}: the Flex plan refuses ftpsState`),
  ];
}

/** Names that the code and infra/ have to share. */
export interface SharedNames {
  readonly queues: readonly string[];
  readonly topics: readonly string[];
  readonly container: string;
  readonly tables: readonly string[];
}

const QUEUE_FACTS: Readonly<Record<string, string>> = {
  requiresDuplicateDetection: "false",
  lockDuration: "PT1M",
  maxDeliveryCount: "10",
};

export function nameFaults(files: readonly BicepFile[], names: SharedNames): string[] {
  const queues = made(files, "Microsoft.ServiceBus/namespaces/queues");
  const topics = made(files, "Microsoft.ServiceBus/namespaces/topics");
  const containers = made(files, "Microsoft.Storage/storageAccounts/blobServices/containers");
  const lists = files.flatMap(({ statements }) => statements.filter(({ name }) => name === "tableNames"));
  const tables = lists.flatMap(({ value }) => literals(value));
  const said = (resources: readonly Resource[]) => resources.map(({ body: one }) => literal(field(one, "name")) ?? "?");
  return [
    ...differences("queue", said(queues), names.queues),
    ...differences("topic", said(topics), names.topics),
    ...queues.flatMap(({ body: queue }) =>
      Object.entries(QUEUE_FACTS)
        .filter(([name, value]) => literal(field(queue, "properties", name)) !== value)
        .map(([name, value]) => `the queue's ${name} is not ${value}`),
    ),
    ...(said(containers).includes(names.container) ? [] : [`there is no container ${names.container}`]),
    ...differences("table", tables, names.tables),
  ];
}

const differences = (what: string, there: readonly string[], wanted: readonly string[]): string[] => [
  ...wanted.filter((name) => !there.includes(name)).map((name) => `the ${what} ${name} is not made`),
  ...there.filter((name) => !wanted.includes(name)).map((name) => `the ${what} ${name} is made for nobody`),
];

const isSecretName = (name: string): boolean =>
  // `keyvaultDns` is the end of every vault's host name.
  /^list[A-Z]/.test(name) || /key(?!vault)|secret|password|connectionstring|credential|sas$/i.test(name);

/** No output is a secret: outputs stay readable in the deployment's history. */
export const outputFaults = (files: readonly BicepFile[]): string[] =>
  files.flatMap(({ path, statements }) => {
    const secure = new Set(
      statements.filter(({ decorators }) => decorators.includes("secure")).map(({ name }) => name),
    );
    return statements
      .filter(
        ({ keyword, value }) =>
          keyword === "output" && mentions(value).some(({ name }) => secure.has(name) || isSecretName(name)),
      )
      .map(({ name }) => `${path}: the output ${name} may hold a secret`);
  });

/** Each type with what its properties have to say. */
const CLOSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "Microsoft.Storage/storageAccounts": {
    allowSharedKeyAccess: "false",
    allowBlobPublicAccess: "false",
    minimumTlsVersion: "TLS1_2",
    supportsHttpsTrafficOnly: "true",
  },
  "Microsoft.ServiceBus/namespaces": { disableLocalAuth: "true", minimumTlsVersion: "1.2" },
  "Microsoft.Relay/namespaces/hybridConnections": { requiresClientAuthorization: "true" },
  "Microsoft.Web/sites": { httpsOnly: "true" },
  "Microsoft.KeyVault/vaults": { enableRbacAuthorization: "true", enablePurgeProtection: "true" },
  "Microsoft.KeyVault/vaults/keys": { kty: "EC", curveName: "P-256" },
  "Microsoft.Web/sites/basicPublishingCredentialsPolicies": { allow: "false" },
};

/** Shared keys are off where Azure allows that; on the relay one rule may listen, and its key goes into the vault. */
export function keyFaults(files: readonly BicepFile[]): string[] {
  const open = Object.entries(CLOSED).flatMap(([type, wanted]) =>
    made(files, type).flatMap(({ path, statement, body: one }) =>
      Object.entries(wanted)
        .filter(([name, value]) => literal(field(one, "properties", name)) !== value)
        .map(([name, value]) => `${path} ${statement.name}: ${name} is not ${value}`),
    ),
  );
  const exportable = made(files, "Microsoft.KeyVault/vaults/keys").filter(
    ({ body: one }) => literal(field(one, "properties", "attributes", "exportable")) !== "false",
  );
  const rules = made(files, "Microsoft.Relay/namespaces/authorizationRules");
  const others = files.flatMap(({ path, statements }) =>
    statements
      .filter((statement) => /\/authorizationRules$/i.test(typeOf(statement)) && !statement.existing)
      .filter((statement) => typeOf(statement) !== "Microsoft.Relay/namespaces/authorizationRules")
      .map(({ name }) => `${path} ${name}: a shared access rule`),
  );
  const rights = rules.map(({ body: one }) => literals(field(one, "properties", "rights")).join());
  const listed = files.flatMap(({ statements }) =>
    statements.flatMap((statement) =>
      mentions(statement.value)
        .filter(({ name, called }) => called && /^list[A-Z]/.test(name))
        .map(() => typeOf(statement)),
    ),
  );
  return [
    ...open,
    ...others,
    ...exportable.map(({ path, statement }) => `${path} ${statement.name}: the key is exportable`),
    ...(rights.join(";") === "Listen" ? [] : ["the relay's one rule is not for Listen only"]),
    ...(listed.join() === "Microsoft.KeyVault/vaults/secrets"
      ? []
      : [`keys are read for ${listed.join(", ") || "nothing"} instead of once, for the vault's secret`]),
  ];
}

/** Whatever somebody may want to look into afterwards sends its logs to the workspace. */
export const logFaults = (files: readonly BicepFile[]): string[] =>
  LOGGED.flatMap((type) =>
    made(files, type)
      .filter(({ path, statement }) => {
        const scopes = made(files, "Microsoft.Insights/diagnosticSettings")
          .filter((one) => one.path === path)
          .map(({ body: one }) => mentions(field(one, "scope"))[0]?.name);
        return !scopes.includes(statement.name);
      })
      // The host's own storage has no tables of ours, and its blobs are covered.
      .map(({ path, statement }) => `${path}: ${statement.name} sends its logs nowhere`),
  );

const isOfStorage = (scope: string, files: readonly BicepFile[], path: string): boolean =>
  ["blobServices", "tableServices"].some((service) =>
    made(files, `Microsoft.Storage/storageAccounts/${service}`).some(
      (one) => one.path === path && one.statement.name === scope,
    ),
  );

/** What was changed in storage is logged; what was read only where somebody asks for it, for that is nearly all there is. */
export const storageLogFaults = (files: readonly BicepFile[]): string[] =>
  made(files, "Microsoft.Insights/diagnosticSettings")
    .filter(({ path, body: one }) => isOfStorage(mentions(field(one, "scope"))[0]?.name ?? "", files, path))
    .flatMap(({ path, statement, body: one }) => {
      const logs = field(one, "properties", "logs");
      const items = logs?.kind === "array" ? logs.items : [];
      const said = items.map((item) => {
        const enabled = literal(field(item, "enabled")) ?? mentions(field(item, "enabled"))[0]?.name;
        return `${literal(field(item, "category")) ?? "all"}: ${enabled}`;
      });
      return said.join() === "StorageWrite: true,StorageDelete: true,StorageRead: logReads"
        ? []
        : [`${path} ${statement.name}: logs ${said.join(", ")}`];
    });
