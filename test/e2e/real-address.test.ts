import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRealAddress, takeRealAddress } from "../stack/real-address.ts";

describe("SALLYPORT_MSSQL", () => {
  it("is taken out of the environment, also when it cannot be used", () => {
    const environment = { SALLYPORT_MSSQL: "mssql://sa:p%40ss%3A%2F%25@db.example:1444/ERP", OTHER: "stays" };
    assert.deepEqual(takeRealAddress(environment), {
      host: "db.example",
      port: 1444,
      database: "ERP",
      user: "sa",
      password: "p@ss:/%",
      encrypt: "true",
      trustServerCertificate: false,
    });
    assert.deepEqual(environment, { OTHER: "stays" });
    assert.equal(takeRealAddress(environment), undefined);
    const unusable = { SALLYPORT_MSSQL: "nonsense" };
    assert.throws(() => takeRealAddress(unusable));
    assert.deepEqual(unusable, {});
  });

  it("has a port and two options", () => {
    const { port, encrypt, trustServerCertificate } = parseRealAddress(
      "mssql://sa:x@127.0.0.1/ERP?encrypt=strict&trustServerCertificate=true",
    );
    assert.deepEqual([port, encrypt, trustServerCertificate], [1433, "strict", true]);
  });

  it("is refused with a reason, and never with its text", () => {
    const cases: readonly (readonly [address: string, reason: RegExp])[] = [
      ["sqlserver://sa:secret@h/ERP", /begins with mssql:/],
      ["mssql://sa:secret@h", /names no database/],
      ["mssql://sa:secret@h/a/b", /path is one database/],
      ["mssql://:secret@h/ERP", /names no user/],
      ["mssql://sa@h/ERP", /names no password/],
      ["mssql://sa:secret@/ERP", /no URL|host/],
      ["mssql://sa:secret%zz@h/ERP", /two hexadecimal digits/],
      ["mssql://sa:secret@h:99999/ERP", /no URL/],
      ["mssql://sa:secret@h:0/ERP", /port/],
      ["mssql://sa:secret@[::1]/ERP", /host is a name/],
      ["mssql://sa:secret@h/ERP?encrypt=false", /with TLS only/],
      ["mssql://sa:secret@h/ERP?trustServerCertificate=yes", /true or false/],
      ["mssql://sa:secret@h/ERP?password=secret", /has only encrypt/],
      ["mssql://sa:secret@h/ERP#secret", /no URL/],
      ["mssql://sa:sec/ret@h/ERP", /no URL|port|host/],
    ];
    for (const [address, reason] of cases) {
      assert.throws(
        () => parseRealAddress(address),
        (error: Error) => {
          assert.match(error.message, reason, address);
          assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /secret|sec\/ret/);
          return true;
        },
      );
    }
  });
});
