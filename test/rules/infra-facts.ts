/** What infra/ has to agree with: names and settings as the product has them, and roles as Azure has them. */
import type { TableClient } from "@azure/data-tables";
import { readSettings } from "@sallyport/cloud/src/settings.ts";
import { createTables } from "@sallyport/cloud/src/store/open.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Source, type Token, tokens } from "./source.ts";

/** Azure's built-in roles that the orchestrator's identity may be given (learn.microsoft.com/azure/role-based-access-control/built-in-roles). */
export const ROLES: Readonly<Record<string, string>> = {
  blobDataOwner: "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
  blobDataContributor: "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
  blobDelegator: "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
  tableDataContributor: "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
  serviceBusDataOwner: "090c5cfd-751d-490a-894a-3ce6f1109419",
  serviceBusDataSender: "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
  cryptoUser: "12338af0-0e69-4776-bea7-57ae8d297424",
  relaySender: "26baccc8-eea7-41f1-98f4-1762cc7f685d",
};

/** Each role with the kind of resource it is given on: one that is given higher up gives more. */
export const GRANTS: readonly string[] = [
  "infra/app/host-storage.bicep: blobDataOwner on Microsoft.Storage/storageAccounts",
  "infra/app/relay.bicep: enroller on Microsoft.Relay/namespaces",
  "infra/app/relay.bicep: relaySender on Microsoft.Relay/namespaces",
  "infra/app/service-bus.bicep: serviceBusDataOwner on Microsoft.ServiceBus/namespaces/queues",
  "infra/app/service-bus.bicep: serviceBusDataSender on Microsoft.ServiceBus/namespaces/topics",
  "infra/app/storage.bicep: blobDataContributor on Microsoft.Storage/storageAccounts/blobServices/containers",
  "infra/app/storage.bicep: blobDelegator on Microsoft.Storage/storageAccounts",
  "infra/app/storage.bicep: tableDataContributor on Microsoft.Storage/storageAccounts",
  "infra/app/vault.bicep: cryptoUser on Microsoft.KeyVault/vaults/keys",
  "infra/app/vault.bicep: secretsKeeper on Microsoft.KeyVault/vaults",
];

/** All that the custom roles may do. */
export const CUSTOM_ACTIONS: readonly string[] = [
  ...["read", "write", "delete"].map((verb) => `Microsoft.Relay/namespaces/hybridConnections/${verb}`),
  ...["getSecret/action", "setSecret/action", "delete", "recover/action", "readMetadata/action"].map(
    (verb) => `Microsoft.KeyVault/vaults/secrets/${verb}`,
  ),
];

/** What must have its logs in the workspace. The app sends its own to Application Insights, and twice would be paid twice. */
export const LOGGED: readonly string[] = [
  "Microsoft.KeyVault/vaults",
  "Microsoft.Relay/namespaces",
  "Microsoft.ServiceBus/namespaces",
  "Microsoft.Storage/storageAccounts/blobServices",
  "Microsoft.Storage/storageAccounts/tableServices",
];

/** Settings that the Functions host, Node, the C library or an Azure library reads, and the product does not. */
export const PLATFORM_SETTINGS: ReadonlySet<string> = new Set([
  "AzureWebJobsStorage__accountName",
  "AzureWebJobsStorage__credential",
  "AzureWebJobsStorage__clientId",
  "SALLYPORT_SERVICEBUS__credential",
  "SALLYPORT_SERVICEBUS__clientId",
  "AZURE_CLIENT_ID",
  "AZURE_TOKEN_CREDENTIALS",
  "APPLICATIONINSIGHTS_CONNECTION_STRING",
  "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
  "NODE_OPTIONS",
  "MALLOC_ARENA_MAX",
  "MALLOC_MMAP_THRESHOLD_",
]);

/** What each setting would look like in Azure. */
const SAMPLES: Readonly<Record<string, string>> = {
  SALLYPORT_ORIGIN: "https://pulls.example.org",
  SALLYPORT_ENTRA_ISSUER: "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0",
  SALLYPORT_ENTRA_AUDIENCE: "api://sallyport",
  SALLYPORT_WEBHOOK_NETWORKS: "10.0.0.0/8",
  SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: "sb-x.servicebus.windows.net",
  SALLYPORT_ADMIN_KEY_SHA256: "0".repeat(64),
  SALLYPORT_TABLES: "https://stx.table.core.windows.net/",
  SALLYPORT_BLOBS: "https://stx.blob.core.windows.net/",
  SALLYPORT_CONTAINER: "sallyport",
  SALLYPORT_RELAY: "relay-x.servicebus.windows.net",
  SALLYPORT_RELAY_LISTEN: "https://kv-x.vault.azure.net/secrets/relay-listen",
  SALLYPORT_RELAY_RESOURCE:
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Relay/namespaces/relay-x",
  SALLYPORT_SIGNING_KEY: "https://kv-x.vault.azure.net/keys/sallyport-signing",
  SALLYPORT_SECRETS: "https://kv-x.vault.azure.net",
};

/** What the platform sets by itself. */
const BY_PLATFORM = { WEBSITE_HOSTNAME: "func-x.azurewebsites.net" };

const sampleEnvironment = (names: readonly string[]): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(names.map((name) => [name, SAMPLES[name]])),
  ...BY_PLATFORM,
});

/** The settings that the app, started with these, names as missing or wrong. */
export function settingsMissing(names: readonly string[]): string[] {
  try {
    readSettings(sampleEnvironment(names));
    return [];
  } catch (thrown) {
    if (!(thrown instanceof SallyportError)) throw thrown;
    const { settings } = thrown.detail;
    return (settings as readonly string[]).map((line) => line.slice(0, line.indexOf(":")));
  }
}

/** Every setting that cloud/src/settings.ts names. */
export const settingsKnown = (sources: readonly Source[]): Set<string> =>
  new Set(
    tokensOf(sources, "cloud/src/settings.ts")
      .filter(({ kind, value }) => kind === "word" && /^(SALLYPORT|WEBSITE)_/.test(value))
      .map(({ value }) => value),
  );

/** Queues and topics that the product opens. Read from the source: loading compose.ts would read this process's environment. */
export function entityNames(sources: readonly Source[], kind: "QUEUE" | "TOPIC"): string[] {
  const all = tokensOf(sources, "cloud/src/compose.ts");
  return all.flatMap(({ value }, at) =>
    value.endsWith(`_${kind}`) && all[at - 1]?.value === "const" ? [all[at + 2]?.value ?? "?"] : [],
  );
}

/** The results' container where no setting names another. */
export const containerName = (): string =>
  readSettings(sampleEnvironment(Object.keys(SAMPLES).filter(isNotContainer))).SALLYPORT_CONTAINER;

const isNotContainer = (name: string): boolean => name !== "SALLYPORT_CONTAINER";

/** Every table that the product opens. */
export async function tableNames(): Promise<string[]> {
  const names: string[] = [];
  await createTables((name) => {
    names.push(name);
    return { createTable: async () => undefined } as unknown as TableClient;
  });
  return names;
}

function tokensOf(sources: readonly Source[], path: string): Token[] {
  const source = sources.find((one) => one.path === path);
  if (source === undefined) throw new Error(`${path} is not there`);
  return tokens(source.text);
}
