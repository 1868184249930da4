/** Rules over how the files of infra/ fit together: names that exist, parameters that arrive, tags that azd looks for. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { field, literal, mentions, type Statement, within } from "./bicep.ts";
import { type BicepFile, body } from "./infra.ts";
import { ROOT } from "./source.ts";

/** Words of the language that an expression may begin with. */
const WORDS = new Set(["true", "false", "null", "for", "in", "if"]);
const NEEDS_USE = new Set(["param", "var"]);

/** Names that a file uses and does not have, and parameters and variables that it has and does not use. */
export const symbolFaults = (files: readonly BicepFile[]): string[] =>
  files.flatMap(({ path, statements }) => {
    const declared = statements.filter(({ keyword }) => keyword !== "output" && keyword !== "targetScope");
    const names = declared.map(({ name }) => name);
    const used = statements.flatMap(({ value }) =>
      mentions(value)
        .filter(({ member, called }) => !member && !called)
        .map(({ name }) => name),
    );
    const locals = statements.flatMap((statement) => statement.locals);
    return [
      ...names
        .filter((name, index) => names.indexOf(name) !== index)
        .map((name) => `${path}: ${name} is declared twice`),
      ...used
        .filter((name) => !names.includes(name) && !WORDS.has(name) && !locals.includes(name))
        .map((name) => `${path}: nothing is called ${name}`),
      ...declared
        .filter(({ keyword, name }) => NEEDS_USE.has(keyword) && !used.includes(name))
        .map(({ keyword, name }) => `${path}: the ${keyword} ${name} is not used`),
    ];
  });

const isRequired = ({ keyword, value }: Statement): boolean => keyword === "param" && value === undefined;
const declaredBy = (file: BicepFile, keyword: Statement["keyword"]): string[] =>
  file.statements.filter((statement) => statement.keyword === keyword).map(({ name }) => name);

/** Modules get the parameters that they have and give the outputs that are taken from them; no file lies there for nothing. */
export function moduleFaults(files: readonly BicepFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set(["infra/main.bicep"]);
  const faults = files.flatMap((file) =>
    file.statements
      .filter(({ keyword }) => keyword === "module")
      .flatMap((module) => {
        const path = posix.join(posix.dirname(file.path), module.type);
        const target = byPath.get(path);
        if (target === undefined) return [`${file.path}: there is no ${path}`];
        reached.add(path);
        return wiringFaults(file, module, target);
      }),
  );
  const lost = files.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path} belongs to nothing`);
  return [...faults, ...lost];
}

function wiringFaults(file: BicepFile, module: Statement, target: BicepFile): string[] {
  const params = field(body(module), "params");
  const given = params?.kind === "object" ? [...params.fields.keys()] : [];
  const required = target.statements.filter(isRequired).map(({ name }) => name);
  const outputs = declaredBy(target, "output");
  const taken = file.statements.flatMap(({ value }) => {
    const all = mentions(value);
    return all.flatMap(({ name, member }, at) =>
      name === module.name && !member && all[at + 1]?.name === "outputs" ? [all[at + 2]?.name ?? "?"] : [],
    );
  });
  return [
    ...given
      .filter((name) => !declaredBy(target, "param").includes(name))
      .map((name) => `${target.path} takes no ${name}`),
    ...required.filter((name) => !given.includes(name)).map((name) => `${target.path} is not given ${name}`),
    ...taken.filter((name) => !outputs.includes(name)).map((name) => `${target.path} gives no ${name}`),
  ];
}

const VARIABLE = /^\$\{([A-Z][A-Z0-9_]*)(=[^}]*)?\}$/;

/** main.parameters.json gives what main.bicep needs, from azd's environment; and no output overwrites what it is made from. */
export function parameterFaults(files: readonly BicepFile[], parametersJson: string): string[] {
  const main = files.find(({ path }) => path === "infra/main.bicep")!;
  const { parameters } = JSON.parse(parametersJson) as { parameters: Record<string, { value: string }> };
  const values = Object.entries(parameters).map(([name, { value }]) => ({ name, found: VARIABLE.exec(value) }));
  const variables = values.map(({ name, found }) => [name, found?.[1]] as const);
  const outputs = declaredBy(main, "output");
  const required = main.statements.filter(isRequired).map(({ name }) => name);
  // azd sets these two itself, and to the same values.
  const stable = ["AZURE_LOCATION", "AZURE_ENV_NAME"];
  return [
    ...variables
      .filter(([, variable]) => variable === undefined)
      .map(([name]) => `${name} is not one of azd's variables`),
    ...variables
      .filter(([name]) => !declaredBy(main, "param").includes(name))
      .map(([name]) => `main.bicep takes no ${name}`),
    ...required.filter((name) => !(name in parameters)).map((name) => `main.parameters.json lacks ${name}`),
    // `azd up` asks for what is empty before any hook has run, and with --no-prompt it fails.
    ...values
      .filter(({ name, found }) => required.includes(name) && !stable.includes(found?.[1] ?? "") && !found?.[2]?.[1])
      .map(({ name }) => `azd would ask for ${name} before a hook could set it`),
    ...outputs.filter((name) => name !== name.toUpperCase()).map((name) => `the output ${name} is not in upper case`),
    ...variables
      .filter(([, variable]) => variable !== undefined && outputs.includes(variable) && !stable.includes(variable))
      .map(([name]) => `an output becomes the next deployment's ${name}`),
  ];
}

interface AzureYaml {
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown> & { hooks?: Record<string, unknown> }>>>;
  readonly hooks?: Readonly<Record<string, { readonly run?: string }>>;
}

/** azd packs `cloud/dist` as it is, and runs hooks that are there: the project's around its commands, a service's wherever it packs. */
export function azdFaults(azureYaml: string): string[] {
  const { services, hooks = {} } = parseStrictYaml(azureYaml) as AzureYaml;
  const wanted = { project: "./cloud", language: "ts", host: "function", dist: "dist", remoteBuild: false };
  const wrong = Object.entries(services).flatMap(([service, said]) =>
    Object.entries(wanted)
      .filter(([name, value]) => said[name] !== value)
      .map(([name, value]) => `azure.yaml: ${name} of ${service} is not ${value}`),
  );
  const lost = Object.entries(hooks).flatMap(([name, { run }]) =>
    run?.startsWith("./") && !existsSync(join(ROOT, run))
      ? [`azure.yaml: ${name} runs ${run}, which is not there`]
      : [],
  );
  const left = ["preprovision", "postprovision", "postdeploy"].filter((name) => !(name in hooks));
  const old = Object.entries(services)
    .filter(([, { hooks: own = {} }]) => !("prepackage" in own))
    .map(([service]) => `azure.yaml: ${service} has no hook prepackage, so azd deploy would pack an old build`);
  const ignored = existsSync(join(ROOT, "cloud/.funcignore")) ? ["cloud/.funcignore would keep files out of dist"] : [];
  return [...wrong, ...lost, ...old, ...left.map((name) => `azure.yaml: there is no hook ${name}`), ...ignored];
}

/** azd finds the group by one tag and each service's app by the other; whatever can carry tags carries them. */
export function tagFaults(files: readonly BicepFile[], azureYaml: string): string[] {
  const { services } = parseStrictYaml(azureYaml) as { services: Record<string, unknown> };
  const all = files.flatMap(({ path, statements }) => statements.map((statement) => ({ path, statement })));
  const environment = all.filter(({ statement }) => field(statement.value, "azd-env-name") !== undefined);
  const tagged = all.flatMap(({ statement }) =>
    [...within(field(body(statement), "tags"))].flatMap((node) => literal(field(node, "azd-service-name")) ?? []),
  );
  const plain = all
    .filter(({ statement }) => statement.keyword === "resource" && field(body(statement), "location") !== undefined)
    .filter(({ statement }) => !mentions(field(body(statement), "tags")).some(({ name }) => name === "tags"));
  return [
    ...(environment.map(({ statement }) => statement.name).join() === "tags"
      ? []
      : ["azd-env-name is not in the tags"]),
    ...(tagged.sort().join() === Object.keys(services).sort().join()
      ? []
      : [`azd-service-name is ${tagged.join() || "nowhere"}, and azure.yaml says ${Object.keys(services).join()}`]),
    ...plain.map(({ path, statement }) => `${path}: ${statement.name} has no tags`),
  ];
}
