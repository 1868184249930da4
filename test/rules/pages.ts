/**
 * Every page, or part of one, that is made from the product, so that the two cannot differ.
 *
 *   npx node test/rules/pages.ts     write them all
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { PAGE as FAILURES_PAGE, page as failuresPage } from "../e2e/directory/failures/page.ts";
import { ERRORS_PAGE, errorsPage } from "./errors-page.ts";
import { POLICY_SCHEMA, policySchemaText } from "./policy-schema.ts";
import { PAGE as ROUTES_PAGE, withTable } from "./routes-page.ts";
import { SALLYPORT_PAGE, sallyportPage } from "./sallyport-page.ts";
import { SETTINGS_PAGE, settingsPage } from "./settings-page.ts";
import { ROOT } from "./source.ts";
import { PAGE as TYPES_PAGE, withTypes } from "./types-table.ts";

export interface Page {
  readonly path: string;
  /** @param now the page as it is: some of them are made in a part only */
  readonly text: (now: string) => string | Promise<string>;
}

export const PAGES: readonly Page[] = [
  { path: ERRORS_PAGE, text: () => errorsPage(ERRORS) },
  { path: SALLYPORT_PAGE, text: sallyportPage },
  { path: ROUTES_PAGE, text: (now) => withTable(now) },
  { path: SETTINGS_PAGE, text: settingsPage },
  { path: TYPES_PAGE, text: withTypes },
  { path: FAILURES_PAGE, text: failuresPage },
  { path: POLICY_SCHEMA, text: policySchemaText },
];

if (import.meta.main) {
  for (const { path, text } of PAGES) writeFileSync(path, await text(readFileSync(path, "utf8")));
  // JSON in this repository looks as the formatter has it.
  execFileSync(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", POLICY_SCHEMA], { cwd: ROOT });
}
