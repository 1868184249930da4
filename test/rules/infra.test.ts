import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bicepTokens, mentions, parseBicep } from "./bicep.ts";
import { bicepFiles, keyFaults, nameFaults, outputFaults, readInfra, roleFaults, settingFaults } from "./infra.ts";
import { containerName, NOT_YET, queueName, settingsKnown, settingsMissing, tableNames } from "./infra-facts.ts";
import { MISTAKES } from "./infra-mistakes.ts";
import { moduleFaults, parameterFaults, symbolFaults, tagFaults } from "./infra-wiring.ts";
import { ROOT, readSources, type Source } from "./source.ts";

const sources = readSources();
const infra = readInfra();
const readme = readFileSync(join(ROOT, "infra/README.md"), "utf8");
const known = settingsKnown(sources);
const names = { queue: queueName(sources), container: containerName(), tables: await tableNames() };

function faultsOf(texts: readonly Source[]): string[] {
  const files = bicepFiles(texts);
  const textOf = (wanted: string) => texts.find(({ path }) => path === wanted)!.text;
  return [
    ...settingFaults(files, known),
    ...nameFaults(files, names),
    ...roleFaults(files),
    ...outputFaults(files),
    ...keyFaults(files),
    ...symbolFaults(files),
    ...moduleFaults(files),
    ...parameterFaults(files, textOf("infra/main.parameters.json")),
    ...tagFaults(files, textOf("azure.yaml")),
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
  it("an app without settings misses more than what is not possible yet; one with all misses nothing", () => {
    const missing = settingsMissing([]);
    assert.ok(NOT_YET.every((name) => missing.includes(name)) && missing.length > NOT_YET.length);
    assert.deepEqual(settingsMissing([...known]), []);
  });
  it("names are there to compare", () => {
    assert.equal(names.queue, "slices");
    assert.ok(names.tables.includes("runs") && names.tables.length >= 10);
  });
  it("infra/README.md names each setting that is not possible yet", () => {
    assert.deepEqual(
      NOT_YET.filter((name) => !readme.includes(`\`${name}\``)),
      [],
    );
  });
});

describe("Bicep", () => {
  it("comments vanish, texts keep theirs", () => {
    const values = bicepTokens("var a = 'x // y' // z\n/* w */ var b = 1").map(({ value }) => value);
    assert.deepEqual(values, ["var", "a", "=", "x // y", "\n", "var", "b", "=", "1"]);
  });
  it("names are told apart: members, calls, and those within texts", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are those of Bicep
    const [statement] = parseBicep("var a = f(b.c, '${d.e}-${g}', { h: i })");
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
