/** The owner's policy of the attacked agent: a rule of every type, each with something just beyond it. */

/** Of `guarded` alone, so that what fails there is counted for no other connection. The server has none of this name. */
export const GUESSED = "svc_guarded";
const DAY_MS = 86_400_000;

const connection = (name: string, port: number, more: string, rules: string, login = "svc"): string => `
  ${name}:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [${login}]
    ${more}
    rules:${rules}`;

/** `little` gives few rows, `guarded` few logins. */
const readers = (name: string): string => `
      - { id: ${name}-orders, allow: [table], tables: [dbo.Orders], columns: "*" }
      - id: ${name}-by-note
        allow: [statement]
        name: byNote
        sql: SELECT Id, Note FROM dbo.Orders WHERE Note = @note
        parameters: { note: nvarchar(200) }
        returns: [Id, Note]`;

const every = (yesterday: string, tomorrow: string): string => `
      - { id: people, allow: [table], tables: [dbo.People], columns: [Id, Email, At], mask: { Email: hash } }
      - { id: people-open, allow: [table], tables: [dbo.Twice], columns: [Id, Email] }
      - { id: people-masked, allow: [table], tables: ["dbo.Tw*"], columns: [Id, Email], mask: { Email: "null" } }
      - { id: by-time, allow: [table], tables: [dbo.Events], columns: [Id, Note, At], filterOn: [At] }
      - { id: changes-only, allow: [changes], tables: [dbo.Tracked] }
      - { id: told, allow: [schema], tables: [dbo.Told] }
      - { id: by-name, allow: [statement], name: listed, sql: SELECT 1 AS A, parameters: { c: { type: int, in: [1] } }, returns: [A] }
      - { id: status, allow: [update], tables: [dbo.Status], columns: [Id, State], key: [Id], until: ${tomorrow} }
      - { id: over, allow: [table], tables: [dbo.Over], until: ${yesterday} }
      - { id: close, allow: [call], procedure: dbo.Close, parameters: { why: { type: int, in: [1] } }, effect: write }
      - { id: theirs, allow: [table], tables: [dbo.Theirs], callers: ["key:sp_theirs"] }
      - { id: no-hr, deny: all, tables: ["hr.*"] }
      - { id: hr-anyway, allow: [table], tables: ["hr.*"] }`;

const directory = (tomorrow: string): string => `
  corp:
    kind: activeDirectory
    # Nobody listens there, and nobody is called.
    address: localhost:636
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: staff, allow: [search], bases: ["OU=Staff,DC=x"], classes: [user], attributes: "*", filterOn: [mail] }
      - { id: no-board, deny: all, bases: ["OU=Board,OU=Staff,DC=x"] }
      - id: leavers
        allow: [modify, move]
        bases: ["OU=Staff,DC=x"]
        destinations: ["OU=Leavers,DC=x"]
        classes: [user]
        attributes: [mail, userAccountControl, servicePrincipalName]
        until: ${tomorrow}`;

export function policyOf(port: number, now: Date): string {
  const day = (from: number): string => new Date(now.getTime() + from * DAY_MS).toISOString().slice(0, 10);
  const hour = (from: number): string => `${String((now.getUTCHours() + from) % 24).padStart(2, "0")}:00`;
  return `
v: 1
limits: { sessionsPerMinute: 6000 }
connections:${[
    connection("erp", port, "limits: { sessions: 4, failedLogins: 99/1h }", readers("erp")),
    connection("little", port, "limits: { rows: 100 }", readers("little")),
    connection("guarded", port, "limits: { failedLogins: 3/1h }", readers("guarded"), GUESSED),
    connection("every", port, "signIn: [sql]", every(day(-2), day(2))),
    connection("later", port, `hours: { allow: ["${hour(8)}-${hour(12)}"], timezone: UTC }`, readers("later")),
    connection("sealed", port, "credential: sealed", readers("sealed")),
    connection("loose", port, "signIn: [sql]", `\n      - { id: raw-over, allow: [raw], until: ${day(-2)} }`),
    directory(day(2)),
  ].join("")}
`;
}
