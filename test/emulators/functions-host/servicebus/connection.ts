import { ManagedIdentityCredential } from "@azure/identity";
import { ServiceBusClient } from "@azure/service-bus";
import type { Settings } from "../settings.ts";
import { startProblem } from "../start-problem.ts";

/** Where a trigger's namespace is and who the host is there. */
export type Connection =
  | { by: "connectionString"; connectionString: string }
  | { by: "identity"; fullyQualifiedNamespace: string; clientId: string | undefined };

/**
 * Finds a trigger's connection in the app's settings: `NAME` as a connection string, or `NAME__fullyQualifiedNamespace`
 * with `NAME__credential=managedidentity` and `NAME__clientId`. The prefix `AzureWebJobs` may stand before the name.
 * Source: "Azure Service Bus trigger", connections. Throws a StartProblem when there is none.
 */
export function readConnection(name: string, settings: Settings): Connection {
  for (const prefix of [`AzureWebJobs${name}`, name]) {
    const connectionString = settings[prefix];
    if (connectionString) return { by: "connectionString", connectionString };
    const fullyQualifiedNamespace = settings[`${prefix}__fullyQualifiedNamespace`];
    if (fullyQualifiedNamespace) {
      const clientId = settings[`${prefix}__clientId`];
      // Azure wakes an app with a user-assigned identity only when both are set.
      if (clientId && settings[`${prefix}__credential`] !== "managedidentity") {
        throw startProblem(`${prefix}__clientId needs ${prefix}__credential=managedidentity beside it.`);
      }
      return { by: "identity", fullyQualifiedNamespace, clientId: clientId || undefined };
    }
  }
  throw startProblem(`Set the app setting ${name} (a connection string) or ${name}__fullyQualifiedNamespace.`);
}

/** Makes the client; it connects with the first receiver. A namespace may be `localhost:PORT`, which is TLS. */
export function openClient(connection: Connection): ServiceBusClient {
  // A local service answers at once or is away. The SDK's own values are 30 s and 60 s, and it does not reconnect
  // before a request that was under way when the connection broke has timed out.
  const options = { retryOptions: { retryDelayInMs: 200, timeoutInMs: 3_000 } };
  if (connection.by === "connectionString") return new ServiceBusClient(connection.connectionString, options);
  const credential = connection.clientId
    ? new ManagedIdentityCredential({ clientId: connection.clientId })
    : new ManagedIdentityCredential();
  return new ServiceBusClient(connection.fullyQualifiedNamespace, credential, options);
}
