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
  relaySender: "26baccc8-eea7-41f1-98f4-1762cc7f685d",
};

/** Each role with the kind of resource it is given on: one that is given higher up gives more. */
export const GRANTS: readonly string[] = [
  "infra/app/host-storage.bicep: blobDataOwner on Microsoft.Storage/storageAccounts",
  "infra/app/relay.bicep: enroller on Microsoft.Relay/namespaces",
  "infra/app/relay.bicep: relaySender on Microsoft.Relay/namespaces",
  "infra/app/service-bus.bicep: serviceBusDataOwner on Microsoft.ServiceBus/namespaces/queues",
  "infra/app/storage.bicep: blobDataContributor on Microsoft.Storage/storageAccounts/blobServices/containers",
  "infra/app/storage.bicep: blobDelegator on Microsoft.Storage/storageAccounts",
  "infra/app/storage.bicep: tableDataContributor on Microsoft.Storage/storageAccounts",
];

/** All that the custom role may do. */
export const ENROLLER_ACTIONS: readonly string[] = ["read", "write", "delete"].map(
  (verb) => `Microsoft.Relay/namespaces/hybridConnections/${verb}`,
);

/** Settings that the Functions host, Node, the C library or an Azure library reads, and the product does not. */
export const PLATFORM_SETTINGS: ReadonlySet<string> = new Set([
  "AzureWebJobsStorage__accountName",
  "AzureWebJobsStorage__credential",
  "AzureWebJobsStorage__clientId",
  "SALLYPORT_SERVICEBUS__credential",
  "SALLYPORT_SERVICEBUS__clientId",
  "AZURE_CLIENT_ID",
  "NODE_OPTIONS",
  "MALLOC_ARENA_MAX",
  "MALLOC_MMAP_THRESHOLD_",
]);

/**
 * Settings that the product needs and Azure cannot have yet: they name files, which every instance would have to share and
 * write. infra/README.md says so; whoever builds their Key Vault halves takes them out of here.
 */
export const NOT_YET: readonly string[] = ["SALLYPORT_SECRETS", "SALLYPORT_SECRETS_KEY", "SALLYPORT_SIGNING_KEY"];

/** What each setting would look like in Azure. */
const SAMPLES: Readonly<Record<string, string>> = {
  SALLYPORT_ORIGIN: "https://pulls.example.org",
  SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: "sb-x.servicebus.windows.net",
  SALLYPORT_ADMIN_KEY_SHA256: "0".repeat(64),
  SALLYPORT_TABLES: "https://stx.table.core.windows.net/",
  SALLYPORT_BLOBS: "https://stx.blob.core.windows.net/",
  SALLYPORT_CONTAINER: "sallyport",
  SALLYPORT_RELAY: "relay-x.servicebus.windows.net",
  SALLYPORT_RELAY_LISTEN: "Endpoint=sb://relay-x.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=k",
  SALLYPORT_RELAY_RESOURCE:
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Relay/namespaces/relay-x",
  SALLYPORT_SIGNING_KEY: "/keys/signing.json",
  SALLYPORT_SECRETS: "/keys/secrets.json",
  SALLYPORT_SECRETS_KEY: "/keys/secrets.key",
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

/** The doorbells' queue. Read from the source: loading compose.ts would read this process's environment. */
export function queueName(sources: readonly Source[]): string | undefined {
  const all = tokensOf(sources, "cloud/src/compose.ts");
  const at = all.findIndex(({ value }, index) => value === "SLICES_QUEUE" && all[index + 1]?.value === "=");
  return at === -1 ? undefined : all[at + 2]?.value;
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
