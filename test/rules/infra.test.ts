import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mentions, parseBicep } from "./bicep.ts";
import {
  bicepFiles,
  keyFaults,
  logFaults,
  nameFaults,
  outputFaults,
  readInfra,
  settingFaults,
  settingNames,
  storageLogFaults,
} from "./infra.ts";
import { containerName, entityNames, settingsKnown, settingsMissing, tableNames } from "./infra-facts.ts";
import { MISTAKES } from "./infra-mistakes.ts";
import { roleFaults } from "./infra-roles.ts";
import { azdFaults, moduleFaults, parameterFaults, symbolFaults, tagFaults } from "./infra-wiring.ts";
import { ROOT, readSources, type Source } from "./source.ts";

const sources = readSources();
const infra = readInfra();
const known = settingsKnown(sources);
const explained = explainedSettings(readFileSync(join(ROOT, "docs/deploy.md"), "utf8"));
const names = {
  queues: entityNames(sources, "QUEUE"),
  topics: entityNames(sources, "TOPIC"),
  container: containerName(),
  tables: await tableNames(),
};

/** Settings of the table "What infra/ leaves alone", each in the first column. */
function explainedSettings(page: string): Set<string> {
  const section = page.split(/^## /m).find((text) => text.startsWith("What infra/ leaves alone")) ?? "";
  const cells = [...section.matchAll(/^\|([^|]+)\|/gm)].map(([, cell]) => cell!);
  return new Set(cells.flatMap((cell) => cell.match(/\b(SALLYPORT|WEBSITE)_\w+/g) ?? []));
}

function faultsOf(texts: readonly Source[]): string[] {
  const files = bicepFiles(texts);
  const textOf = (wanted: string) => texts.find(({ path }) => path === wanted)!.text;
  return [
    ...settingFaults(files, known, explained),
    ...nameFaults(files, names),
    ...roleFaults(files),
    ...outputFaults(files),
    ...keyFaults(files),
    ...logFaults(files),
    ...storageLogFaults(files),
    ...symbolFaults(files),
    ...moduleFaults(files),
    ...parameterFaults(files, textOf("infra/main.parameters.json")),
    ...tagFaults(files, textOf("azure.yaml")),
    ...azdFaults(textOf("azure.yaml")),
  ];
}

/** infra/ with `from` replaced once in the file that ends with `file`; everywhere in it where `from` says so. */
function planted(file: string, from: string | RegExp, to: string): Source[] {
  const before = infra.find(({ path }) => path.endsWith(file))!;
  const text = before.text.replace(from, to);
  assert.notEqual(text, before.text, `${file} does not hold what is to be replaced`);
  return infra.map((one) => (one === before ? { path: one.path, text } : one));
}

describe("infra/ agrees with the product, with azd and with itself", () => {
  it("as it stands", () => {
    assert.deepEqual(faultsOf(infra), []);
  });
  for (const [what, file, from, to, fault] of MISTAKES)
    it(`${what} is seen`, () => {
      const found = faultsOf(planted(file, from, to));
      assert.ok(
        found.some((line) => fault.test(line)),
        found.join("\n") || "nothing was found",
      );
    });
});

describe("what it is compared with", () => {
  it("an app without settings misses many; one with what infra/ sets misses nothing", () => {
    assert.ok(settingsMissing([]).length >= 10);
    assert.deepEqual(settingsMissing(settingNames(bicepFiles(infra)).filter((name) => known.has(name))), []);
  });
  it("names are there to compare", () => {
    assert.ok(names.queues.includes("slices") && names.topics.length === 1 && explained.size > 5);
    assert.ok(names.tables.includes("runs") && names.tables.length >= 10);
  });
  it("at least twenty mistakes are planted", () => {
    assert.ok(MISTAKES.length >= 20);
  });
});

describe("Bicep", () => {
  it("comments vanish, texts keep theirs", () => {
    const [first, second] = parseBicep("// v\nvar a = 'x // y' // z\n/* w */ var b = 1\n");
    assert.deepEqual(first?.value, { kind: "expression", parts: [{ kind: "text", value: "x // y" }] });
    assert.deepEqual([first.name, second?.name], ["a", "b"]);
  });
  it("loops, lambdas, conditions and decorators are understood", () => {
    const [loop, lambda, conditional, parameter] = parseBicep(
      [
        "resource a 'T@1' = [\n  for (one, at) in list: {\n    name: one.name\n  }\n]",
        "var b = map(list, each => each.name)",
        "resource c 'T@1' = if (d) {\n  name: 'e'\n}",
        "@secure()\nparam f string\n",
      ].join("\n"),
    );
    assert.deepEqual([loop?.locals, lambda?.locals], [["one", "at"], ["each"]]);
    assert.deepEqual([conditional?.type, parameter?.decorators, parameter?.value], ["T@1", ["secure"], undefined]);
  });
  it("names are told apart: members, calls, and those within texts", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are those of Bicep
    const [statement] = parseBicep("var a = f(b.c, '${d.e}-${g}', { h: i })\n");
    const [plain, member, called] = [[] as string[], [] as string[], [] as string[]];
    for (const one of mentions(statement!.value)) (one.member ? member : one.called ? called : plain).push(one.name);
    assert.deepEqual([plain.sort(), member.sort(), called], [["b", "d", "g", "i"], ["c", "e"], ["f"]]);
  });
  for (const [what, text] of [
    ["a bracket that is not closed", "var a = {\n  b: 1\n"],
    ["a text that is not closed", "var a = 'b\n"],
    ["a field without a value", "var a = {\n  b:\n}\n"],
    ["a field given twice", "var a = {\n  b: 1\n  b: 2\n}\n"],
    ["two statements on a line", "var a = { b: 1 } c\nvar"],
    ["a statement that is not known here", "import { a } from 'b'\n"],
  ] as const)
    it(`${what} is refused`, () => {
      assert.throws(() => parseBicep(text), Error);
    });
});
