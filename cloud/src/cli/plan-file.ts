/** The file of `apply` and `diff`: pulls of many tenants, made from templates with each tenant's own values. Pure. */
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { type PullDefinition, pullDefinition } from "@sallyport/shared/schema/pull.ts";
import { z } from "zod";
import { CliError, EXIT } from "./exit.ts";

const scalar = z.union([z.string().max(1000), z.number(), z.boolean()]);
const values = z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,39}$/), scalar);
const definition = z.record(z.string(), z.unknown());

const pull = z
  .strictObject({
    template: z.string().optional(),
    /** Of this pull alone, before the tenant's. */
    values: values.default({}),
    /** Fields of the definition, whole; they replace the template's. */
    set: definition.default({}),
    definition: definition.optional(),
  })
  .refine((one) => (one.template === undefined) !== (one.definition === undefined), {
    message: "has a template or a definition, and not both",
  });

const planFile = z.strictObject({
  v: z.literal(1),
  templates: z.record(nameId, definition).default({}),
  tenants: z.record(nameId, z.strictObject({ values: values.default({}), pulls: z.record(nameId, pull) })),
});

export interface Wanted {
  readonly tenant: string;
  readonly pull: string;
  readonly definition: PullDefinition;
}

/** Every pull of the file, with its definition whole and checked. @throws CliError with every mistake, by its path in the file */
export function readPlan(content: unknown, name: string): Wanted[] {
  const parsed = planFile.safeParse(content);
  if (!parsed.success)
    throw wrong(
      name,
      parsed.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`),
    );
  const { templates, tenants } = parsed.data;
  const problems: string[] = [];
  const wanted: Wanted[] = [];
  for (const [tenant, { values: own, pulls }] of Object.entries(tenants)) {
    for (const [id, one] of Object.entries(pulls)) {
      const path = `tenants.${tenant}.pulls.${id}`;
      const from = one.template === undefined ? one.definition : templates[one.template];
      if (from === undefined) {
        problems.push(`${path}.template: there is no template ${one.template}`);
        continue;
      }
      const missing = new Set<string>();
      const filled = fill({ ...from, ...one.set }, { tenant, pull: id, ...own, ...one.values }, missing);
      for (const each of missing) problems.push(`${path}: no value is given for \${${each}}`);
      const checked = pullDefinition.safeParse(filled);
      if (checked.success) wanted.push({ tenant, pull: id, definition: checked.data });
      else if (missing.size === 0)
        problems.push(...checked.error.issues.map((issue) => `${path}: ${issue.path.join(".")}: ${issue.message}`));
    }
  }
  if (problems.length > 0) throw wrong(name, problems);
  return wanted;
}

const PLACE = /\$\{([a-zA-Z][a-zA-Z0-9_]*)\}/g;
const ONLY_A_PLACE = /^\$\{([a-zA-Z][a-zA-Z0-9_]*)\}$/;

/** `${name}` becomes its value: where it is all of a text, as what it is; within one, as text. */
function fill(value: unknown, values: Readonly<Record<string, unknown>>, missing: Set<string>): unknown {
  const given = (name: string): unknown => {
    if (Object.hasOwn(values, name)) return values[name];
    missing.add(name);
    return "";
  };
  if (typeof value === "string") {
    const [, only] = ONLY_A_PLACE.exec(value) ?? [];
    return only === undefined ? value.replace(PLACE, (_, name: string) => String(given(name))) : given(only);
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, values, missing));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, values, missing)]));
}

const SHOWN = 20;
const wrong = (name: string, problems: readonly string[]): CliError => {
  const more = problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [];
  const all = [...problems.slice(0, SHOWN), ...more].join("; ");
  return new CliError(EXIT.usage, `${name} is not what it should be: ${all}`, "Mend the file, then try again.");
};
