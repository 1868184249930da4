/** The text of a policy to begin with: it denies everything, and shows what could be said. */
import { docsPage } from "../docs-page.ts";

export interface FirstConnection {
  readonly name: string;
  readonly address: string;
  readonly database: string;
  readonly login: string;
  readonly tables: readonly string[];
}

const HEAD = `# What this agent may do. Nothing that is not allowed here is ever done, whoever asks; the orchestrator sees a digest of
# this file and cannot change it. After each change: \`sallyport policy check\`. Everything is in
# ${docsPage("policy.md")}.
v: 1
updates: notify                 # manual | notify | window
# limits: { rows: 50000000, sessionsPerMinute: 30 }   # of the whole agent; a connection and a rule have theirs
`;

const EXAMPLE = `# This denies everything. Put the like of this, with your own names, in the place of the line above:
#
# connections:
#   erp:                                      # what the orchestrator calls it
#     kind: mssql                             # mssql | activeDirectory
#     address: sql01.corp.example:1433        # exact host and port
#     database: ERP
#     tls: { mode: required }                 # required | strict (TDS 8) | trustAnyCertificate
#     logins: [svc_sallyport]                 # any other login is refused
#     hours: { allow: ["22:00-06:00"], timezone: Europe/Oslo }
#     rules:
#       - id: orders                          # stands in the journal
#         allow: [table]                      # table | changes | schema
#         tables: [dbo.Orders, "archive.*"]
#         columns: [OrderId, Status, ChangedAt]   # or "*": every column that there is when it is read
#         mask: { Status: hash }              # hash | null | year | last4 | fixed:"…"
#       - id: never-hr
#         deny: all                           # beats every allow
#         tables: ["hr.*"]
`;

export const DENY_ALL: string = `${HEAD}connections: {}\n${EXAMPLE}`;

/** The same with one connection, whose tables are allowed whole. */
export function firstPolicy({ name, address, database, login, tables }: FirstConnection): string {
  return `${HEAD}connections:
  ${name}:                      # what the orchestrator calls it
    kind: mssql
    address: ${JSON.stringify(address)}
    database: ${JSON.stringify(database)}
    tls: { mode: required }     # required | strict (TDS 8) | trustAnyCertificate; \`ca: file.pem\` for an authority of your own
    logins: [${JSON.stringify(login)}]    # any other login is refused; \`sallyport grant-script --connection ${name}\` gives it its rights
    # hours: { allow: ["22:00-06:00"], timezone: Europe/Oslo }
    rules:
      - id: first               # stands in the journal
        allow: [table]          # table | changes | schema; none is implied by another
        tables: [${tables.map((table) => JSON.stringify(table)).join(", ")}]
        columns: "*"            # every column that there is when it is read; better is a list
        # mask: { Email: hash } # hash | null | year | last4 | fixed:"…"
      # - id: never-hr
      #   deny: all             # beats every allow
      #   tables: ["hr.*"]
`;
}
