import assert from "node:assert/strict";
import { test } from "node:test";
import { StartProblem } from "../start-problem.ts";
import { readConnection } from "./connection.ts";

test("a setting of that name is a connection string", () => {
  assert.deepEqual(readConnection("BUS", { BUS: "Endpoint=sb://x/" }), {
    by: "connectionString",
    connectionString: "Endpoint=sb://x/",
  });
});

test("settings below that name mean an identity", () => {
  const settings = {
    BUS__fullyQualifiedNamespace: "ns.servicebus.windows.net",
    BUS__credential: "managedidentity",
    BUS__clientId: "id",
  };
  assert.deepEqual(readConnection("BUS", settings), {
    by: "identity",
    fullyQualifiedNamespace: "ns.servicebus.windows.net",
    clientId: "id",
  });
  assert.deepEqual(readConnection("BUS", { BUS__fullyQualifiedNamespace: "ns" }), {
    by: "identity",
    fullyQualifiedNamespace: "ns",
    clientId: undefined,
  });
});

test("the prefix AzureWebJobs wins", () => {
  const settings = { BUS: "Endpoint=sb://plain/", AzureWebJobsBUS: "Endpoint=sb://prefixed/" };
  assert.deepEqual(readConnection("BUS", settings), {
    by: "connectionString",
    connectionString: "Endpoint=sb://prefixed/",
  });
});

test("no setting, or a client id without its credential, is refused with the names to set", () => {
  assert.throws(
    () => readConnection("BUS", {}),
    (error) => error instanceof StartProblem && /BUS__fully/.test(error.message),
  );
  const settings = { BUS__fullyQualifiedNamespace: "ns", BUS__clientId: "id" };
  assert.throws(() => readConnection("BUS", settings), /BUS__credential=managedidentity/);
});
