/**
 * Builds the orchestrator's clients once and joins its parts. Each service's setting is a connection string or an
 * endpoint; its shape decides how we sign in, and nothing else in the product asks.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { TableClient } from "@azure/data-tables";
import { DefaultAzureCredential, type TokenCredential } from "@azure/identity";
import { ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { agentDirectory } from "./agents/directory.ts";
import type { EnrolmentDeps } from "./agents/enrolment.ts";
import { createHybridConnections } from "./agents/hybrid-connections.ts";
import { loadSigningKey } from "./agents/signing-key.ts";
import { JTI_MINUTES, type TokenDeps } from "./agents/tokens.ts";
import type { KeyDeps } from "./access/api-keys.ts";
import { parseConnectionString, requireConnectionString, sharedAccessSignature } from "./relay.ts";
import { getCredential } from "./secrets/credentials.ts";
import { localSecrets } from "./secrets/local.ts";
import { createOpenSession } from "./sessions/open.ts";
import { readSettings, type Settings } from "./settings.ts";
import { openStore } from "./store/open.ts";

const settings: Settings = readSettings(process.env);

/** Everything a trigger may call. */
export interface Orchestrator {
  readonly settings: Settings;
  readonly keys: KeyDeps;
  readonly enrolment: EnrolmentDeps;
  readonly tokens: TokenDeps;
}

let built: Promise<Orchestrator> | undefined;

/** The orchestrator of this process, built by the first trigger that needs it. */
export const orchestrator = (): Promise<Orchestrator> => {
  built ??= build();
  return built;
};
