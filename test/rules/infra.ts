/** Rules over infra/: what a compiler would find, and what only the product knows. Each gives one sentence for each fault. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { field, literal, mentions, type Node, parseBicep, type Statement, within } from "./bicep.ts";
import { ENROLLER_ACTIONS, GRANTS, NOT_YET, PLATFORM_SETTINGS, ROLES, settingsMissing } from "./infra-facts.ts";
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
const body = ({ value }: Statement): Node | undefined => [...within(value)].find(({ kind }) => kind === "object");

const typeOf = (statement: Statement): string => statement.type.replace(/@.*/, "");

interface Resource {
  readonly path: string;
  readonly statement: Statement;
  readonly body: Node | undefined;
}

/** What these files make, by type without version. */
const made = (files: readonly BicepFile[], type: string): Resource[] =>
  files.flatMap(({ path, statements }) =>
    statements
      .filter((statement) => statement.keyword === "resource" && !statement.existing && typeOf(statement) === type)
      .map((statement) => ({ path, statement, body: body(statement) })),
  );

const literals = (node: Node | undefined): string[] =>
  node?.kind === "array" ? node.items.map((item) => literal(item) ?? "?") : [];

/** The app settings that the function app is given, those behind a condition too. */
export const settingNames = (files: readonly BicepFile[]): string[] =>
  made(files, "Microsoft.Web/sites").flatMap((site) =>
    [...within(field(site.body, "properties", "siteConfig", "appSettings"))].flatMap(
      (node) => literal(field(node, "name")) ?? [],
    ),
  );

export function settingFaults(files: readonly BicepFile[], known: ReadonlySet<string>): string[] {
  const names = settingNames(files);
  const ours = names.filter((name) => !PLATFORM_SETTINGS.has(name));
  const missing = settingsMissing(ours.filter((name) => known.has(name)));
  const ftps = files.filter(({ statements }) =>
    statements.some(({ value }) => [...within(value)].some((node) => field(node, "ftpsState") !== undefined)),
  );
  return [
    ...ours.filter((name) => !known.has(name)).map((name) => `${name} is set, and nobody reads it`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is set twice`),
    ...missing.filter((name) => !NOT_YET.includes(name)).map((name) => `${name} is not set`),
    ...NOT_YET.filter((name) => !missing.includes(name)).map(
      (name) => `${name} is set or not needed: it is no longer NOT_YET`,
    ),
    ...ftps.map(({ path }) => `${path}: the Flex plan refuses ftpsState`),
  ];
}

/** Names that the code and infra/ have to share. */
export interface SharedNames {
  readonly queue: string | undefined;
  readonly container: string;
  readonly tables: readonly string[];
}

export function nameFaults(files: readonly BicepFile[], names: SharedNames): string[] {
  const queues = made(files, "Microsoft.ServiceBus/namespaces/queues");
  const containers = made(files, "Microsoft.Storage/storageAccounts/blobServices/containers");
  const lists = files.flatMap(({ statements }) => statements.filter(({ name }) => name === "tableNames"));
  const wanted: Readonly<Record<string, string>> = {
    requiresDuplicateDetection: "false",
    lockDuration: "PT1M",
    maxDeliveryCount: "10",
  };
  const tables = lists.flatMap(({ value }) => literals(value));
  return [
    ...(queues.length === 1 && literal(field(queues[0]?.body, "name")) === names.queue
      ? []
      : [`the one queue is not ${names.queue}`]),
    ...queues.flatMap(({ body }) =>
      Object.entries(wanted)
        .filter(([name, value]) => literal(field(body, "properties", name)) !== value)
        .map(([name, value]) => `the queue's ${name} is not ${value}`),
    ),
    ...(containers.some(({ body }) => literal(field(body, "name")) === names.container)
      ? []
      : [`there is no container ${names.container}`]),
    ...names.tables.filter((name) => !tables.includes(name)).map((name) => `the table ${name} is not made`),
    ...tables.filter((name) => !names.tables.includes(name)).map((name) => `the table ${name} is made for nobody`),
  ];
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function roleFaults(files: readonly BicepFile[]): string[] {
  const ids = files.flatMap(({ path, statements }) =>
    statements.flatMap(({ name, value }) =>
      [...within(value)].flatMap((node) => {
        const id = literal(node);
        if (id === undefined || !GUID.test(id)) return [];
        return ROLES[name] === id ? [] : [`${path}: ${name} is not the role that the table has under this name`];
      }),
    ),
  );
  const assignments = made(files, "Microsoft.Authorization/roleAssignments");
  const grants = assignments.map((one) => grantOf(files, one));
  const actions = made(files, "Microsoft.Authorization/roleDefinitions").flatMap(({ body }) =>
    [...within(body)].flatMap((node) => literals(field(node, "actions"))),
  );
  return [
    ...ids,
    ...assignments.flatMap(assignmentFaults),
    ...grants.filter((grant) => !GRANTS.includes(grant)).map((grant) => `${grant} is not in the table of grants`),
    ...GRANTS.filter((grant) => !grants.includes(grant)).map((grant) => `${grant} is missing`),
    ...actions.filter((action) => !ENROLLER_ACTIONS.includes(action)).map((action) => `the custom role may ${action}`),
  ];
}

/** The names in an assignment's role: a variable of the table, or a role that the same file makes. */
const roleOf = ({ body }: Resource): string =>
  mentions(field(body, "properties", "roleDefinitionId"))
    .filter(({ member, called }) => !member && !called)
    .map(({ name }) => name)
    .join();

const scopeOf = ({ body }: Resource): string =>
  mentions(field(body, "scope"))
    .map(({ name }) => name)
    .join(".");

function grantOf(files: readonly BicepFile[], one: Resource): string {
  const { statements } = files.find(({ path }) => path === one.path)!;
  const scope = statements.find(({ name }) => name === scopeOf(one));
  return `${one.path}: ${roleOf(one)} on ${scope === undefined ? "?" : typeOf(scope)}`;
}

/** The name is made of scope, principal and role, so that a repeat is the same and another is not. */
function assignmentFaults(one: Resource): string[] {
  const { path, statement, body } = one;
  const said = mentions(field(body, "name"))
    .filter(({ member }) => !member)
    .map(({ name }) => name);
  const named = said.join() === ["guid", scopeOf(one), "principalId", roleOf(one)].join();
  const typed = literal(field(body, "properties", "principalType")) === "ServicePrincipal";
  const given = mentions(field(body, "properties", "principalId"))
    .map(({ name }) => name)
    .join();
  return [
    ...(named ? [] : [`${path} ${statement.name}: its name is not guid(scope, principal, role)`]),
    ...(typed ? [] : [`${path} ${statement.name}: principalType is not stated`]),
    ...(given === "principalId" ? [] : [`${path} ${statement.name}: it is for another principal`]),
  ];
}

const isSecretName = (name: string): boolean =>
  /^list[A-Z]/.test(name) || /key|secret|password|connectionstring|credential|sas$/i.test(name);

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
  "Microsoft.Web/sites/basicPublishingCredentialsPolicies": { allow: "false" },
};

/** Shared keys are off where Azure allows that; on the relay one rule may listen, and its key goes to one setting. */
export function keyFaults(files: readonly BicepFile[]): string[] {
  const open = Object.entries(CLOSED).flatMap(([type, wanted]) =>
    made(files, type).flatMap(({ path, statement, body }) =>
      Object.entries(wanted)
        .filter(([name, value]) => literal(field(body, "properties", name)) !== value)
        .map(([name, value]) => `${path} ${statement.name}: ${name} is not ${value}`),
    ),
  );
  const rules = made(files, "Microsoft.Relay/namespaces/authorizationRules");
  const others = files.flatMap(({ path, statements }) =>
    statements
      .filter((statement) => /\/authorizationRules$/i.test(typeOf(statement)) && !statement.existing)
      .filter((statement) => typeOf(statement) !== "Microsoft.Relay/namespaces/authorizationRules")
      .map(({ name }) => `${path} ${name}: a shared access rule`),
  );
  const rights = rules.map(({ body }) => literals(field(body, "properties", "rights")).join());
  const keys = files.flatMap(({ statements }) => statements.flatMap(({ value }) => mentions(value)));
  const listed = keys.filter(({ name, called }) => called && /^list[A-Z]/.test(name));
  return [
    ...open,
    ...others,
    ...(rights.join(";") === "Listen" ? [] : ["the relay's one rule is not for Listen only"]),
    ...(listed.length === 1 ? [] : [`${listed.length} keys are read instead of the listen rule's one`]),
  ];
}
