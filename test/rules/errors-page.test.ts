import assert from "node:assert/strict";
import { it } from "node:test";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { errorsPage, readErrorsPage } from "./errors-page.ts";

it("docs/errors.md is what the error table says", () => {
  assert.equal(readErrorsPage(), errorsPage(ERRORS), "run `npx node test/rules/pages.ts`");
});

it("a changed table makes another page", () => {
  const changed = { ...ERRORS, "agent.offline": { ...ERRORS["agent.offline"], http: 599 } };
  assert.notEqual(errorsPage(changed), readErrorsPage());
});
