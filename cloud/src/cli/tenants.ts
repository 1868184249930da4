/** `sallyportctl tenants list|create|show|change|export|offboard`. */
import { type Quotas, quotas } from "@sallyport/shared/schema/api.ts";
import { offboarded, type TenantView, tenantExport, tenantView } from "@sallyport/shared/schema/api-views.ts";
import { plain, plainJson } from "@sallyport/shared/terminal.ts";
import { type Command, InvalidArgumentError } from "commander";
import type { z } from "zod";
import { named } from "./answers.ts";
import { facts, table } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { type Call, demandYes, does, nameArgument, verb } from "./verb.ts";
import { count } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly name?: string;
}
interface ChangeOptions extends CommonOptions {
  readonly name?: string;
  readonly quota?: Partial<Quotas>;
}
interface OffboardOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly deleteResults?: boolean;
}

export function addTenants(program: Command): void {
  const tenants = program.command("tenants").description("customer organisations");
  does(verb(tenants, "list", "all tenants; needs tenants:write", "tenants list"), async ({ api, print }) => {
    const all = await api.list("/tenants", named);
    print(all, all.length === 0 ? ["There is no tenant yet."] : table(["TENANT", "NAME"], all.map(namedRow)));
  });
  does<CreateOptions>(
    verb(
      tenants,
      "create",
      "adds a tenant; the same again changes nothing",
      'tenants create contoso --name "Contoso Ltd"',
    )
      .addArgument(nameArgument("<id>", "1 to 40 of a-z, 0-9 and -"))
      .option("--name <text>", "as people call it; the id otherwise"),
    async ({ api, print }, { name }, id = "") => {
      const made = await api.post("/tenants", { id, name: name ?? id }, named);
      print(made, [
        `Tenant ${made.id} (${plain(made.name)}) is there.`,
        `Next: sallyportctl sites create NAME --tenant ${made.id}`,
      ]);
    },
  );
  does(
    verb(tenants, "show", "a tenant, and how much of its quotas it uses", "tenants show contoso").addArgument(
      nameArgument("<id>", "which"),
    ),
    async (call, _, id = "") => show(call, await call.api.get(`/tenants/${id}`, tenantView)),
  );
  does<ChangeOptions>(
    verb(tenants, "change", "a tenant's name or quotas", "tenants change contoso --quota pulls=1000 --quota agents=200")
      .addArgument(nameArgument("<id>", "which"))
      .option("--name <text>", "as people call it")
      .option(
        "--quota <what=count>",
        `at most so many; repeat it. One of ${Object.keys(quotas.shape).join(", ")}`,
        oneMore,
      ),
    async (call, { name, quota }, id = "") => {
      const body = { ...(name !== undefined && { name }), ...(quota && { quotas: quota }) };
      show(call, await call.api.put(`/tenants/${id}`, body, tenantView));
    },
  );
  does(
    verb(
      tenants,
      "export",
      "everything that is stored of a tenant but secrets and results, as JSON",
      "tenants export contoso > contoso.json",
    ).addArgument(nameArgument("<id>", "which")),
    async (call, _, id = "") => {
      const all = await call.api.get(`/tenants/${id}/export`, tenantExport);
      call.print(all, [plainJson(all)]);
    },
  );
  does<OffboardOptions>(
    verb(
      tenants,
      "offboard",
      "ends a tenant: its keys, agents, pulls and credentials; again until nothing is left",
      "tenants offboard contoso --yes",
      "tenants offboard contoso --delete-results --yes",
    )
      .addArgument(nameArgument("<id>", "which"))
      .option("--delete-results", "what its pulls have brought as well")
      .option("--yes", "do it"),
    async (call, options, id = "") => {
      const results = options.deleteResults ? " Its results would be deleted, too." : "";
      demandYes(
        options,
        `Tenant ${id} would lose its keys, agents, pulls and credentials at once, for good.${results}`,
      );
      await offboard(call, id, options.deleteResults === true);
    },
  );
}

/** Each call does a part of it. */
async function offboard({ api, print }: Call, id: string, deleteResults: boolean): Promise<void> {
  let sum: z.infer<typeof offboarded> | undefined;
  do {
    const part = await api.post(`/tenants/${id}/offboard`, { confirm: id, deleteResults }, offboarded);
    sum = { ...part, results: part.results + (sum?.results ?? 0) };
  } while (!sum.done);
  const { keys, pulls, agents, credentials, results } = sum;
  print(sum, [
    `Tenant ${id} has ended: ${count(keys)} keys, ${count(agents)} agents, ${count(pulls)} pulls, ${count(credentials)} credentials, ${count(results)} files.`,
  ]);
}

function show({ print }: Call, tenant: TenantView): void {
  const used = (Object.keys(tenant.quotas) as (keyof Quotas)[]).map(
    (what) => [what.toUpperCase(), `${count(tenant.used[what])} of ${count(tenant.quotas[what])}`] as const,
  );
  print(
    tenant,
    facts([
      ["TENANT", tenant.id],
      ["NAME", tenant.name],
      ["CREATED", tenant.createdAt],
      ["ENDED", tenant.closedAt ?? undefined],
      ...used,
    ]),
  );
}

function oneMore(text: string, before: Partial<Quotas> = {}): Partial<Quotas> {
  const [what = "", number = ""] = text.split("=");
  const parsed = quotas.partial().safeParse({ [what]: /^\d+$/.test(number) ? Number(number) : undefined });
  if (!parsed.success || Object.keys(parsed.data).length === 0) {
    throw new InvalidArgumentError(`give ${Object.keys(quotas.shape).join("|")}=COUNT`);
  }
  return { ...before, ...(parsed.data as Partial<Quotas>) };
}

export const namedRow = ({ id, name }: z.infer<typeof named>): string[] => [id, name];
