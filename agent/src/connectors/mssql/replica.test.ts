import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import { createRecorder } from "./test-output.ts";
import { serve, startTestServer } from "./test-server.ts";

test("a copy that only reads says nothing of what is new by rowversion or Change Tracking, and is read otherwise", async (t) => {
  const server = await startTestServer({ isReplica: true });
  t.after(() => server.close());
  await server.admin("ALTER DATABASE ERP SET CHANGE_TRACKING = ON");
  await server.admin("CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL)");
  await server.admin("ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING; GRANT VIEW CHANGE TRACKING TO svc_sallyport");
  const table = { op: "sql.table", table: "dbo.Orders", columns: "*" } as const;
  const read = (operation: Operation) => serve(server, operation, createRecorder());
  await assert.rejects(read({ ...table, watermark: "rowversion" }), { code: "request.invalid" });
  const changes = { op: "sql.changes", table: "dbo.Orders", columns: "*", by: "changeTracking" } as const;
  await assert.rejects(read(changes), { code: "request.invalid" });
  await read({ ...table, watermark: "none" });
  await read({ ...table, watermark: "column", watermarkColumn: "N" });
  // Nobody writes there at all: then its bounds are everybody's.
  await server.admin("UPDATE sys.databases SET is_read_only = 1");
  await read({ ...table, watermark: "rowversion" });
});
