/**
 * docs/errors.md, made from the error table so that the two cannot differ.
 *
 *   npx node test/rules/pages.ts     write the page, and all others that are made
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ErrorRow } from "@sallyport/shared/protocol/errors.ts";

export const ERRORS_PAGE: string = fileURLToPath(new URL("../../docs/errors.md", import.meta.url));

const HEAD = `# Errors

Made from \`shared/src/protocol/errors.ts\` by \`npx node test/rules/pages.ts\`. Codes are stable; messages may change.

\`retry\`: **never**, a repeat gives the same; **later**, a repeat may succeed and is made by itself, after a growing pause, until the
run's budget is spent; **free**, later, and it costs no attempt. \`agent.revoked\` is for good to that agent; a run goes on with another one.

A rule holds that a named test demands each code; \`npx node test/rules/errors-shown.ts\` lists which.

| code | HTTP | retry | what to do |
|---|---|---|---|
`;

export function errorsPage(table: Readonly<Record<string, ErrorRow>>): string {
  const rows = Object.entries(table).map(
    ([code, { http, retry, advice }]) => `| \`${code}\` | ${http} | ${retry} | ${advice} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}

export const readErrorsPage = (): string => readFileSync(ERRORS_PAGE, "utf8");
