import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { besides, changeFaults, judgedFor } from "./trust.ts";

const PROGRAM = "C:\\Program Files\\Sallyport\\versions\\1.0.0\\sallyport.exe";
const INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/** As a new Windows has them. */
const DRIVE = `O:${INSTALLER}D:PAI(A;;LC;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;;FA;;;BA)(A;OICI;0x1200a9;;;BU)`;
const PROGRAM_FILES = `O:${INSTALLER}D:PAI(A;;FA;;;${INSTALLER})(A;CIIO;GA;;;${INSTALLER})(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)`;
const BELOW = "O:BAD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)(A;OICIIOID;GA;;;CO)";
/** What `C:\Sallyport` has, where somebody unpacked an archive. */
const UNPACKED = "O:BAD:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)";

const listsOf = (more: Readonly<Record<string, string>> = {}) => {
  const all: Readonly<Record<string, string>> = { "C:\\": DRIVE, "C:\\Program Files": PROGRAM_FILES, ...more };
  return { readSddl: (path: string) => all[path] ?? BELOW };
};
const faults = (more?: Readonly<Record<string, string>>, file = PROGRAM, real = (path: string) => path) =>
  changeFaults(judgedFor([file], { real }), listsOf(more));

describe("who may change the program on Windows", () => {
  it("is nobody but administrators below Program Files, as Windows sets it up", () => {
    assert.deepEqual(faults(), []);
  });

  it("is everybody where an archive was unpacked beside it, or on a drive of data", () => {
    const file = "C:\\Sallyport\\sallyport.exe";
    const found = faults({ "C:\\Sallyport": UNPACKED, [file]: UNPACKED }, file);
    assert.match(
      found.join("\n"),
      /sallyport\.exe can be changed by S-1-5-11\n.*C:\\Sallyport can be changed by S-1-5-11/,
    );
    // Its files are administrators', but anybody may add a library that the program loads.
    const adds = "O:BAD:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;CIID;LC;;;BU)(A;CIIOID;DC;;;BU)";
    assert.deepEqual(faults({ "C:\\Sallyport": adds }, file), ["C:\\Sallyport can be changed by S-1-5-32-545"]);
  });

  it("is whoever could take away a folder above it, or owns one", () => {
    const above = "C:\\Program Files\\Sallyport";
    for (const [entry, says] of [
      ["(A;;LC;;;BU)", undefined],
      ["(A;OICIIO;FA;;;BU)", undefined],
      ["(D;;FA;;;BU)", undefined],
      // Of a folder: to remove what is in it.
      ["(A;;DT;;;BU)", "S-1-5-32-545"],
      ["(A;;SD;;;WD)", "S-1-1-0"],
      ["(A;;WD;;;S-1-5-21-1-2-3-1001)", "S-1-5-21-1-2-3-1001"],
      ["(A;;WO;;;AU)", "S-1-5-11"],
      ["(A;;GA;;;AU)", "S-1-5-11"],
      ["(A;;XX;;;AU)", "S-1-5-11"],
    ] as const) {
      const expected = says === undefined ? [] : [`${above} can be changed by ${says}`];
      assert.deepEqual(faults({ [above]: `${BELOW}${entry}` }), expected, entry);
    }
    assert.match(faults({ [above]: BELOW.replace("O:BA", "O:S-1-5-21-1-2-3-1001") }).join(), /belongs to S-1-5-21/);
    assert.match(faults({ [above]: BELOW.replace("O:BA", "") }).join(), /belongs to ,/);
  });

  it("is looked for where a link stands, and where it leads", () => {
    const real = () => "D:\\elsewhere\\sallyport.exe";
    assert.match(
      faults({ "D:\\elsewhere": UNPACKED }, PROGRAM, real).join(),
      /D:\\elsewhere can be changed by S-1-5-11/,
    );
    assert.match(
      faults({ "C:\\Program Files\\Sallyport\\versions\\1.0.0": UNPACKED }, PROGRAM, real).join(),
      /1\.0\.0 can be changed/,
    );
  });

  it("could be anybody where there is no list, or it cannot be read", () => {
    assert.match(faults({ [PROGRAM]: "O:BAD:NO_ACCESS_CONTROL" }).join(), /cannot be judged: not an access list/);
    const failing = { readSddl: () => assert.fail("GetNamedSecurityInfo failed with 5") };
    assert.match(changeFaults(judgedFor([PROGRAM], { real: (path) => path }), failing).join(), /cannot be judged/);
  });

  it("is asked of everything that lies beside it", () => {
    const found = besides(PROGRAM, { entries: () => ["sallyport.exe", "version.dll"] });
    assert.deepEqual(found, [PROGRAM, "C:\\Program Files\\Sallyport\\versions\\1.0.0\\version.dll"]);
    const planted = { [found[1]!]: BELOW.replace("O:BA", "O:S-1-5-21-1-2-3-1001") };
    assert.match(
      changeFaults(judgedFor(found, { real: (path) => path }), listsOf(planted)).join(),
      /version\.dll belongs/,
    );
  });
});
