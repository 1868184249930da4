/** All failures of a session with a directory: what the test holds, and what docs/connectors/active-directory-errors.md says. */
import { ANSWERS } from "./answers.ts";
import { CONNECTING } from "./connecting.ts";
import type { Section } from "./failure.ts";
import { LOGINS } from "./logins.ts";
import { READING } from "./reading.ts";
import { SIGN_INS } from "./sign-ins.ts";
import { WRITING } from "./writing.ts";

export const TABLE: readonly Section[] = [
  { title: "Before anything is contacted", rows: LOGINS },
  { title: "Connecting", rows: CONNECTING },
  { title: "Answers that no directory gives", rows: ANSWERS },
  { title: "Signing in", rows: SIGN_INS },
  { title: "Reading", rows: READING },
  { title: "Writing", rows: WRITING },
];
