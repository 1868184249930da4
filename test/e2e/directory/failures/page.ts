/**
 * docs/connectors/active-directory-errors.md, made from the table that the tests hold.
 *
 *   npx node test/rules/pages.ts     write the page, and all others that are made
 */
import { fileURLToPath } from "node:url";
import { DEADLINES } from "@sallyport/agent/src/connectors/ldap/target.ts";
import type { Ends, Failure, Wire } from "./failure.ts";
import { TABLE } from "./table.ts";

export const PAGE: string = fileURLToPath(
  new URL("../../../../docs/connectors/active-directory-errors.md", import.meta.url),
);

const HEAD = `# What goes wrong with a directory, and what a session makes of it

Made from the table in \`test/e2e/directory/failures\` by \`npx node test/rules/pages.ts\`; each row is a test with the code, the message and the bound
that stand here. [docs/errors.md](../errors.md) says of each code whether it is tried again. Messages may change, codes do not.

**By when**: *at once*, before a port is touched; *with the answer*, which ends it whatever the deadlines are; else the deadline that ends it.
**On the wire**: what crosses the network until then. Neither user nor password is ever among it in the clear, and there is never a second connection; NTLM
tells the user's name.
`;

const ENDS: Readonly<Record<Ends, string>> = {
  here: "at once",
  answer: "with the answer",
  ...{ connectMs: within("connectMs"), signInMs: within("signInMs"), answerMs: within("answerMs") },
};
const WIRES: Readonly<Record<Wire, string>> = {
  nothing: "nothing",
  tls: "TLS",
  startTls: "the request for TLS, TLS",
  sealed: "NTLM, then sealed",
};

function within(deadline: keyof typeof DEADLINES): string {
  return `${DEADLINES[deadline] / 1000} s`;
}

const rowOf = ({ name, code, message, ends, wire }: Failure): string =>
  `| ${name} | \`${code}\` | ${message} | ${ENDS[ends]} | ${WIRES[wire]} |`;

export const page = (): string =>
  `${[
    HEAD,
    ...TABLE.map(({ title, rows }) =>
      [
        `## ${title}\n`,
        "| what happens | code | message | by when | on the wire |",
        "|---|---|---|---|---|",
        ...rows.map(rowOf),
        "",
      ].join("\n"),
    ),
  ].join("\n")}`;
