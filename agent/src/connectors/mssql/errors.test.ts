import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { connectError, serverError, statementError } from "./errors.ts";

const message = (number: number, level = 16) => ({ number, state: 1, class: level, procName: "" });

test("numbers become codes, and no text of the server's goes on", () => {
  const codes = [
    18456, 18486, 18452, 4060, 208, 207, 102, 229, 1205, 1222, 3952, 3961, 22105, 596, 245, 8134, 2627, 8115,
  ].map((number) => serverError([message(number)])?.code);
  assert.deepEqual(codes, [
    "connection.login_failed",
    "connection.account_locked",
    "connection.windows_login_refused",
    "connection.database",
    "sql.not_found",
    "sql.not_found",
    "sql.syntax",
    "sql.permission",
    "sql.deadlock",
    "sql.timeout",
    "sql.snapshot_unavailable",
    "request.plan_changed",
    "sql.not_tracked",
    "connection.lost",
    "sql.overflow",
    "sql.failed",
    "sql.constraint",
    "sql.overflow",
  ]);
  const quoting = { ...message(245), message: "Conversion failed when converting 'secret'", procName: "dbo.P" };
  const error = serverError([quoting]);
  assert.doesNotMatch(JSON.stringify([error?.message, error?.detail]), /secret/);
  assert.deepEqual(error?.detail, { number: 245, state: 1, class: 16, procedure: "dbo.P" });
});

test("a failover, a busy or a starting server can be tried again; what its settings refuse is told as that", () => {
  const retries = (...numbers: number[]) =>
    new Set(
      numbers.map((number) => {
        const { code } = serverError([message(number)])!;
        return `${code} ${ERRORS[code].retry}`;
      }),
    );
  assert.deepEqual(retries(976, 978, 979, 983, 40613), new Set(["connection.database later"]));
  const busy = retries(10928, 10929, 40501, 49918, 49919, 49920, 18401, 18451, 18461, 40615);
  assert.deepEqual(busy, new Set(["connection.unreachable later"]));
  assert.deepEqual(retries(17892, 40532), new Set(["connection.login_failed never"]));
  assert.match(serverError([message(40615)])!.message, /firewall/);
});

test("the first error decides, information does not", () => {
  assert.equal(serverError([message(5701, 0), message(229), message(3621)])?.code, "sql.permission");
  assert.equal(serverError([message(5701, 0)]), undefined);
});

const driver = (code: string, cause?: string): Error =>
  Object.assign(new Error("text", cause === undefined ? {} : { cause: Object.assign(new Error(), { code: cause }) }), {
    code,
  });

test("the driver's codes, with their causes", () => {
  assert.equal(connectError(driver("ESOCKET", "ECONNREFUSED"), []).code, "connection.unreachable");
  assert.equal(connectError(driver("ETIMEOUT"), []).code, "connection.unreachable");
  assert.equal(connectError(driver("ESOCKET", "SELF_SIGNED_CERT_IN_CHAIN"), []).code, "connection.tls");
  assert.equal(connectError(driver("ESOCKET", "ERR_TLS_CERT_ALTNAME_INVALID"), []).code, "connection.tls");
  assert.equal(connectError(driver("EENCRYPT"), []).code, "connection.tls");
  assert.equal(connectError(driver("ELOGIN"), []).code, "connection.login_failed");
  assert.equal(connectError(driver("ELOGIN"), [message(4060, 11)]).code, "connection.database");
  assert.equal(statementError(driver("ESOCKET", "ECONNRESET"), []).code, "connection.lost");
  assert.equal(statementError(driver("EREQUEST"), [message(1205, 13)]).code, "sql.deadlock");
});
