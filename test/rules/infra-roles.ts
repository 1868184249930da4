/** Rules over the roles that infra/ assigns: known ids, least scopes, names that repeat, and a list for who may not assign. */
import { field, literal, mentions, within } from "./bicep.ts";
import { type BicepFile, literals, made, type Resource, typeOf } from "./infra.ts";
import { CUSTOM_ACTIONS, GRANTS, ROLES } from "./infra-facts.ts";

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What is printed where roles may not be assigned is what would have been assigned. */
function listFaults({ path, statements }: BicepFile, assignments: readonly Resource[]): string[] {
  const output = statements.find(({ keyword, name }) => keyword === "output" && name === "grants");
  const printed = [...within(output?.value)].flatMap((node) => {
    const [role, scope] = [field(node, "role"), field(node, "scope")];
    if (role === undefined || scope === undefined) return [];
    // A role of our own has a name for people there.
    const named = mentions(role)[0]?.name ?? "custom";
    return [`${named} on ${mentions(scope)[0]?.name}`];
  });
  const here = assignments.filter((one) => one.path === path);
  const assigned = here.map((one) => {
    const role = roleOf(one);
    return `${role in ROLES ? role : "custom"} on ${scopeOf(one)}`;
  });
  return printed.sort().join() === assigned.sort().join()
    ? []
    : [`${path}: its grants are ${printed.join(", ")}, and it assigns ${assigned.join(", ")}`];
}

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
  const actions = made(files, "Microsoft.Authorization/roleDefinitions").flatMap(({ body: one }) =>
    [...within(one)].flatMap((node) => ["actions", "dataActions"].flatMap((name) => literals(field(node, name)))),
  );
  return [
    ...ids,
    ...assignments.flatMap(assignmentFaults),
    ...grants.filter((grant) => !GRANTS.includes(grant)).map((grant) => `${grant} is not in the table of grants`),
    ...GRANTS.filter((grant) => !grants.includes(grant)).map((grant) => `${grant} is missing`),
    ...actions.filter((action) => !CUSTOM_ACTIONS.includes(action)).map((action) => `a custom role may ${action}`),
    ...CUSTOM_ACTIONS.filter((action) => !actions.includes(action)).map((action) => `no custom role may ${action}`),
    ...files.flatMap((file) => listFaults(file, assignments)),
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
    ...(mentions(statement.value).some(({ name }) => name === "assignRoles")
      ? []
      : [`${path} ${statement.name}: it is assigned also where assignRoles is false`]),
    ...(given === "principalId" ? [] : [`${path} ${statement.name}: it is for another principal`]),
  ];
}
