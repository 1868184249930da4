/**
 * azd runs this after it provisioned. Where roles were not to be assigned (`SALLYPORT_ASSIGN_ROLES=false`) it prints what somebody who
 * may assign them has to run; the app waits for them, and starts by itself.
 */
import { fileURLToPath } from "node:url";

interface Grant {
  /** A built-in role's id, or the name of one of our own. */
  readonly role: string;
  /** What a role of our own may do. */
  readonly actions?: readonly string[];
  readonly dataActions?: readonly string[];
  readonly scope: string;
}

export interface AfterDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  say(line: string): void;
}

/** @throws Error where azd's environment lacks what the templates give out */
export function afterProvision({ env, say }: AfterDeps): void {
  const { SALLYPORT_PRINCIPAL_ID: principal, AZURE_RESOURCE_GROUP: group, AZURE_SUBSCRIPTION_ID: subscription } = env;
  const grants = JSON.parse(env.ROLES_TO_ASSIGN || "[]") as readonly Grant[];
  if (grants.length === 0) {
    say("Roles are assigned. Until all of Azure knows them, some minutes may pass.");
    return;
  }
  if (!principal || !group || !subscription)
    throw new Error(
      "SALLYPORT_PRINCIPAL_ID, AZURE_RESOURCE_GROUP and AZURE_SUBSCRIPTION_ID have to be in azd's environment.",
    );
  const within = `/subscriptions/${subscription}/resourceGroups/${group}`;
  say("No role was assigned. Somebody with the right to assign roles in this resource group has to run:");
  say("");
  for (const { role, actions = [], dataActions = [], scope } of grants) {
    const own = actions.length + dataActions.length > 0;
    const name = own ? `${role} (${group})` : role;
    if (own) {
      const definition = {
        Name: name,
        Description: "Made for Sallyport's orchestrator.",
        Actions: actions,
        DataActions: dataActions,
      };
      say(
        `az role definition create --role-definition '${JSON.stringify({ ...definition, AssignableScopes: [within] })}'`,
      );
    }
    say(
      `az role assignment create --assignee-object-id ${principal} --assignee-principal-type ServicePrincipal --role '${name}' --scope '${scope}'`,
    );
  }
  say("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  afterProvision({ env: process.env, say: (line) => console.log(line) });
}
