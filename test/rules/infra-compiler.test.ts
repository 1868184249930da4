import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bicepSays, findBicep } from "./infra-compiler.ts";
import { ROOT } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-bicep-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a compiler is found by its setting, on the path, or where azd keeps it; nowhere else", () => {
  const place = join(folder, ".azd/bin");
  mkdirSync(place, { recursive: true });
  assert.equal(findBicep({ HOME: folder, PATH: folder }), undefined);
  writeFileSync(join(place, "bicep"), "");
  assert.equal(findBicep({ HOME: folder, PATH: folder }), undefined);
  chmodSync(join(place, "bicep"), 0o755);
  assert.equal(findBicep({ HOME: folder, PATH: folder }), join(place, "bicep"));
  assert.equal(findBicep({ HOME: "", PATH: `/nowhere:${place}` }), join(place, "bicep"));
  assert.equal(findBicep({ SALLYPORT_BICEP: "/opt/bicep", PATH: place }), "/opt/bicep");
});

const bicep = findBicep(process.env);
if (bicep !== undefined) {
  test("the real compiler takes infra/ without a warning", async () => {
    assert.equal(await bicepSays(bicep, join(ROOT, "infra/main.bicep")), "");
  });

  test("and sees what is planted", async () => {
    const copy = join(folder, "infra");
    cpSync(join(ROOT, "infra"), copy, { recursive: true });
    const file = join(copy, "app/relay.bicep");
    writeFileSync(file, `${readFileSync(file, "utf8")}\nparam nobody string = 'x'\noutput none string = nothing\n`);
    const said = await bicepSays(bicep, join(copy, "main.bicep"));
    assert.match(said, /BCP057/);
    assert.match(said, /no-unused-params/);
  });
}
