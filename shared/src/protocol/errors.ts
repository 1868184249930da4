/**
 * Every error that Sallyport reports, in one closed table: what HTTP says, who may retry, what the person should do.
 * Codes are `area.reason` and stable; messages may change.
 */

/** `never`: a repeat gives the same. `later`: a repeat may succeed. `free`: later, and it costs no attempt. */
export type Retry = "never" | "later" | "free";

export interface ErrorRow {
  readonly http: number;
  readonly retry: Retry;
  readonly advice: string;
}

export const ERRORS = {
  // The API and its callers.
  "api.unauthenticated": {
    http: 401,
    retry: "never",
    advice: "Send an API key, or a token of the identity provider, as `Authorization: Bearer …`.",
  },
  "api.forbidden": {
    http: 403,
    retry: "never",
    advice: "Use a key that has the scope that the facts name, for this tenant.",
  },
  "api.invalid": {
    http: 400,
    retry: "never",
    advice: "Mend the fields that the facts name; docs/api.md describes them.",
  },
  "api.not_found": { http: 404, retry: "never", advice: "Check the id and the tenant in the address." },
  "api.conflict": {
    http: 409,
    retry: "never",
    advice:
      "It is there already, or in another state than this needs: read it first. A pull's change goes with its `revision`.",
  },
  "api.too_large": { http: 413, retry: "never", advice: "Send a smaller body; the limit is in the facts." },
  "api.changed": { http: 412, retry: "later", advice: "Somebody changed it meanwhile: read it again and repeat." },
  "api.restricted": {
    http: 403,
    retry: "never",
    advice: "This key is restricted (`only`): use one that may use what the call is about.",
  },
  "api.too_many_calls": {
    http: 429,
    retry: "later",
    advice: "Wait as long as Retry-After says; a key has its own rate in each instance of the function app.",
  },
  "api.repeat_differs": {
    http: 422,
    retry: "never",
    advice: "Use a new Idempotency-Key for each call that is not the same as the one before.",
  },
  "api.repeat_running": {
    http: 409,
    retry: "later",
    advice: "Wait for the first call with this Idempotency-Key, or repeat it in some minutes if it died.",
  },
  "api.repeat_secret": {
    http: 409,
    retry: "never",
    advice: "The first call succeeded. A secret is shown once and a large answer is not kept: read or make it anew.",
  },
  "api.quota": {
    http: 409,
    retry: "never",
    advice: "The tenant has as many as its quota allows: remove some, or raise it by `PUT /tenants/{t}`.",
  },
  "api.closed": { http: 409, retry: "never", advice: "The tenant was offboarded: nothing new is made for it." },
  "api.identity_provider": {
    http: 503,
    retry: "later",
    advice: "The identity provider does not answer or is set wrongly: check SALLYPORT_ENTRA_ISSUER, then repeat.",
  },
  "api.internal": { http: 500, retry: "later", advice: "Look for this instance id in the function app's log." },
  "settings.invalid": { http: 500, retry: "never", advice: "Set what the message names, then start again." },

  // Webhooks and their receivers.
  "webhook.address_refused": {
    http: 400,
    retry: "never",
    advice: "Name a host on the Internet; a private one needs the deployment's setting SALLYPORT_WEBHOOK_NETWORKS.",
  },
  "webhook.unreachable": {
    http: 502,
    retry: "later",
    advice: "Check the webhook's URL, its DNS and its certificate; the event is sent again.",
  },
  "webhook.timeout": {
    http: 504,
    retry: "later",
    advice: "Answer within 10 seconds, and work on the event afterwards; it is sent again.",
  },
  "webhook.redirected": {
    http: 502,
    retry: "later",
    advice: "Name the URL that the receiver answers at: redirects are not followed.",
  },
  "webhook.status": {
    http: 502,
    retry: "later",
    advice: "Look at the receiver's log: only an answer from 200 to 299 says that it has the event.",
  },

  // Enrolment and tokens.
  "enrolment.refused": {
    http: 403,
    retry: "never",
    advice: "Check the code, ask for a new one if it is used or older than 15 minutes, and check the address.",
  },
  "enrolment.mistyped": {
    http: 400,
    retry: "never",
    advice: "The code's check symbol does not fit: compare each group with what you were given.",
  },
  "enrolment.too_many_tries": {
    http: 429,
    retry: "later",
    advice: "Wait a minute, then try again with the right code.",
  },
  "enrolment.intercepted": {
    http: 403,
    retry: "never",
    advice:
      "Somebody between this machine and the orchestrator altered the answer: look for TLS inspection, tell whoever gave you the code.",
  },
  "agent.unknown": { http: 403, retry: "never", advice: "Enrol the agent again: `sallyport enroll`." },
  "agent.revoked": {
    http: 403,
    retry: "never",
    advice: "The platform team revoked this agent: ask them, then enrol again.",
  },
  "agent.pending": {
    http: 403,
    retry: "later",
    advice: "Ask the platform team to approve the agent; both sides compare the fingerprint.",
  },
  "token.invalid": {
    http: 401,
    retry: "never",
    advice: "The agent's signature or its claims do not fit: enrol again if its keys were replaced.",
  },
  "token.replayed": {
    http: 401,
    retry: "later",
    advice: "The same signed token came twice: the agent signs a new one.",
  },
  "token.clock_skew": { http: 401, retry: "later", advice: "Set this machine's clock; it is more than 5 minutes off." },

  // The agent's way out: proxy, TLS, the network itself.
  "network.unreachable": {
    http: 502,
    retry: "later",
    advice: "Check the address, name lookup and firewall of the agent's machine; docs/network.md says what it needs.",
  },
  "network.proxy": {
    http: 502,
    retry: "later",
    advice: "Check `proxy` in agent.yaml, and that the proxy lets CONNECT through to the hosts in docs/network.md.",
  },
  "network.proxy_login": {
    http: 502,
    retry: "later",
    advice: "Set the proxy's user and password in agent.yaml (`proxy`), then start the agent again.",
  },
  "network.tls": {
    http: 502,
    retry: "later",
    advice:
      "The certificate or TLS version of the other end is refused: name your authority in `tls.ca`, check this machine's clock, look for TLS inspection.",
  },

  // The agent as seen from the orchestrator.
  "agent.offline": {
    http: 503,
    retry: "free",
    advice: "Start the agent, or look at `sallyport status` on its machine.",
  },
  "agent.busy": {
    http: 503,
    retry: "free",
    advice: "Wait, raise `maxSessions` in agent.yaml, or add an agent to the site.",
  },
  "agent.locked": {
    http: 503,
    retry: "free",
    advice: "The agent's owner locked it: ask them; `sallyport unlock` on its machine lets sessions in again.",
  },
  "agent.draining": {
    http: 503,
    retry: "free",
    advice:
      "The agent is stopping, or its owner drains it (`sallyport drain --off` ends that): another agent of the site or a later try will serve.",
  },
  "agent.journal_unwritable": {
    http: 503,
    retry: "later",
    advice: "Free disk space on the agent's machine, or mend the journal folder's rights.",
  },
  "agent.interrupted": {
    http: 503,
    retry: "later",
    advice: "The agent stopped during the session: look at its log and its machine.",
  },
  "agent.mask_key": {
    http: 409,
    retry: "later",
    advice:
      "The agents of a site share one mask key: `sallyport mask-key export` on the one that served the run, `mask-key import` on the other.",
  },
  "agent.version": { http: 409, retry: "never", advice: "Update the agent: it does not offer this operation." },

  // The protocol.
  "protocol.integrity": {
    http: 502,
    retry: "later",
    advice:
      "A message was altered, lost or repeated on the way. If it happens again, tell both sides' security people.",
  },
  "protocol.version": { http: 409, retry: "never", advice: "Update the older side." },
  "protocol.order": {
    http: 502,
    retry: "later",
    advice: "The other side sent what does not belong there: compare both sides' versions.",
  },
  "protocol.credit": {
    http: 502,
    retry: "later",
    advice: "The other side sent more than it was allowed: compare both sides' versions.",
  },
  "protocol.batch": {
    http: 502,
    retry: "never",
    advice: "The agent sent rows that are not well-formed: take it off the site and look at its machine.",
  },
  "protocol.hello": {
    http: 502,
    retry: "later",
    advice: "The hello is not from the agent that was dialled: look for its alert, check the relay.",
  },
  "protocol.truncated": {
    http: 502,
    retry: "later",
    advice: "The session ended before its last frame: look at the agent's journal.",
  },
  "protocol.silent": {
    http: 504,
    retry: "later",
    advice: "The other side said nothing valid for 60 seconds: look at the network between.",
  },

  "update.refused": {
    http: 403,
    retry: "never",
    advice:
      "Nothing was changed, and the agent runs on. The message says which check refused; docs/update.md has them all.",
  },

  // What the owner allows.
  "policy.denied": {
    http: 403,
    retry: "never",
    advice: "Ask the agent's owner to allow it; `sallyport policy test` tells them which rule is missing.",
  },
  "policy.ambiguous": {
    http: 403,
    retry: "never",
    advice:
      "Two rules allow it with different masks: ask for fewer columns, or have the owner run `sallyport policy check`.",
  },
  "policy.invalid": {
    http: 500,
    retry: "later",
    advice: "Run `sallyport policy check` on the agent and mend what it names.",
  },
  "request.invalid": { http: 400, retry: "never", advice: "Mend the operation's fields that the facts name." },
  "request.refused": {
    http: 403,
    retry: "never",
    advice:
      "The request was not signed by a key this agent has pinned for this session: enrol again if keys were replaced.",
  },
  "request.expired": {
    http: 408,
    retry: "later",
    advice: "The request came more than 30 seconds after the hello: look at the load of the function app.",
  },
  "request.cancelled": { http: 409, retry: "never", advice: "Somebody cancelled it; start it again when you want it." },
  "request.plan_changed": {
    http: 409,
    retry: "never",
    advice: "The source's columns, key or policy changed during the run: a new run starts from the same position.",
  },

  // The systems behind the agent.
  "connection.unknown": { http: 404, retry: "never", advice: "Name a connection that the agent's policy has." },
  "connection.unreachable": {
    http: 502,
    retry: "later",
    advice: "Check address, port and firewall from the agent's machine, and that the server runs.",
  },
  "connection.redirected": {
    http: 502,
    retry: "never",
    advice:
      "The server sends its clients to an address that the policy does not name: name that one, or set Azure SQL's connection policy to Proxy.",
  },
  "connection.tls": {
    http: 502,
    retry: "never",
    advice: "The server's certificate is not trusted: give its CA in the policy, `tls.ca`.",
  },
  "connection.login_failed": {
    http: 401,
    retry: "never",
    advice: "Check user and password of the connection's credential.",
  },
  "connection.account_locked": {
    http: 401,
    retry: "never",
    advice: "Unlock the account, then store the right password before the next run.",
  },
  "connection.windows_login_refused": {
    http: 401,
    retry: "never",
    advice: "Use a SQL login; docs/connectors/mssql.md says when Windows logins work.",
  },
  "credential.not_sealed": {
    http: 409,
    retry: "never",
    advice:
      "The customer seals it again with this agent among those it names (`sallyport credential seal`), and the file is stored with `PUT …/credential`.",
  },
  "credential.key_unknown": {
    http: 403,
    retry: "never",
    advice:
      "Read the fingerprint on the agent itself (`sallyport status`), or copy its key file from there (`sallyport keys show --out FILE`): a key that only came with a message may be anybody's.",
  },
  "credential.refused": {
    http: 403,
    retry: "never",
    advice:
      "The agent does not open this credential for this session: seal it again on the customer's side, for this tenant, site and connection.",
  },
  "credential.target": {
    http: 403,
    retry: "never",
    advice:
      "It was sealed for what the facts name otherwise than the agent's policy does: seal it again with the policy as it is now.",
  },
  "connection.database": {
    http: 502,
    retry: "later",
    advice: "The database is missing, offline, or the login may not open it.",
  },
  "connection.over_privileged": {
    http: 403,
    retry: "never",
    advice:
      "Give it a login with the rights that `sallyport grant-script` prints, or set `refuseOverPrivileged: false` in the policy.",
  },
  "connection.lost": { http: 502, retry: "later", advice: "The server closed the connection: look at its log." },
  "directory.login_form": {
    http: 400,
    retry: "never",
    advice: "Store a login of the form user@domain, DOMAIN\\user or a distinguished name, with its password.",
  },
  "directory.clear_text": {
    http: 400,
    retry: "never",
    advice: "Use LDAPS or StartTLS in the policy, or a sign-in that seals: no password goes out in clear text.",
  },
  "directory.signing_required": {
    http: 502,
    retry: "never",
    advice:
      "The domain controller wants LDAPS, or a signed and sealed connection: change `tls` or `signIn` in the policy.",
  },
  "directory.channel_binding": {
    http: 502,
    retry: "never",
    advice:
      "Something between ends the TLS connection and opens another: let the agent reach the domain controller directly.",
  },
  "directory.kerberos": {
    http: 502,
    retry: "later",
    advice:
      "Check that the agent's machine has Kerberos, finds and reaches the domain's KDC, and that the controller has the service name: docs/connectors/active-directory.md.",
  },
  "directory.clock_skew": {
    http: 502,
    retry: "later",
    advice:
      "The clocks of the agent's machine and the domain controller are more than 5 minutes apart: set the wrong one.",
  },
  "directory.logon_hours": {
    http: 401,
    retry: "later",
    advice: "The account has logon hours: run the pull within them, or widen them.",
  },
  "directory.workstation": {
    http: 401,
    retry: "never",
    advice:
      "The account may sign in only from machines that it names, or is restricted otherwise: see its properties in the directory.",
  },
  "directory.password_expired": {
    http: 401,
    retry: "never",
    advice: "Set a new password for the account, then store it before the next run.",
  },
  "directory.account_disabled": {
    http: 401,
    retry: "never",
    advice: "Enable the account in the directory, or store another login.",
  },
  "directory.account_expired": {
    http: 401,
    retry: "never",
    advice: "Move the account's end date in the directory, or store another login.",
  },
  "directory.permission": {
    http: 403,
    retry: "never",
    advice: "Give the login the right that the message names; docs/connectors/active-directory.md has the commands.",
  },
  "directory.not_found": {
    http: 404,
    retry: "never",
    advice: "Check the name, and that the login may read the object.",
  },
  "directory.referral": {
    http: 502,
    retry: "never",
    advice:
      "The object is on the server that the facts name: give it a connection of its own. Referrals are never followed.",
  },
  "directory.truncated": {
    http: 502,
    retry: "never",
    advice: "The directory cut the result short: narrow the base or the filter, or raise its limits.",
  },
  "directory.limit": {
    http: 502,
    retry: "never",
    advice: "Make the filter simpler or the base narrower; the limit is the directory's own (its LDAP policies).",
  },
  "directory.changed": {
    http: 409,
    retry: "later",
    advice: "An object changed while its values were read: repeat.",
  },
  "directory.value_invalid": {
    http: 422,
    retry: "never",
    advice: "Mend the values: the directory's schema or its rules do not take one of them.",
  },
  "directory.exists": {
    http: 409,
    retry: "never",
    advice: "Choose another name, or change the object that is there.",
  },
  "directory.not_empty": {
    http: 409,
    retry: "never",
    advice: "Delete or move what is below the object first.",
  },
  "directory.password_policy": {
    http: 422,
    retry: "never",
    advice: "Choose a password that the domain's rules take.",
  },
  "directory.too_many_deletes": {
    http: 409,
    retry: "never",
    advice:
      "Look whether so many were meant to go, or a unit was moved or a right lost; then raise `mostDeletes`, or reset the pull.",
  },
  "directory.unsupported": {
    http: 502,
    retry: "never",
    advice: "The directory, or this agent, does not serve a part of this: see docs/connectors/active-directory.md.",
  },
  "directory.busy": { http: 503, retry: "later", advice: "The domain controller is busy: try again later." },
  "directory.timeout": {
    http: 504,
    retry: "later",
    advice: "The domain controller did not answer in time: look at its load, and narrow base and filter.",
  },
  "directory.protocol": {
    http: 502,
    retry: "never",
    advice: "What answers there does not speak LDAP as a domain controller does: check address and port.",
  },
  "directory.integrity": {
    http: 502,
    retry: "later",
    advice:
      "A message of the domain controller's was altered on its way, or was not its own: look at what lies between.",
  },
  "directory.cursor_lost": {
    http: 502,
    retry: "later",
    advice: "The domain controller forgot how far it had read: the run begins anew.",
  },
  "directory.failed": {
    http: 502,
    retry: "never",
    advice: "The number in the facts is LDAP's result code, the state Windows' error number.",
  },
  "sql.syntax": { http: 400, retry: "never", advice: "Mend the statement; the number in the facts is SQL Server's." },
  "sql.not_found": {
    http: 404,
    retry: "never",
    advice: "The table, column or procedure does not exist, or the login may not see it.",
  },
  "sql.deadlock": { http: 409, retry: "later", advice: "Another transaction won; the run repeats by itself." },
  "sql.timeout": {
    http: 504,
    retry: "later",
    advice: "Look for locks on the server, or give an index that fits the read.",
  },
  "sql.permission": { http: 403, retry: "never", advice: "Grant the login what the facts name." },
  "sql.constraint": {
    http: 409,
    retry: "never",
    advice:
      "Mend the row that the facts number, from 0: a key, foreign key, check or NOT NULL of the table refuses it.",
  },
  "sql.overflow": {
    http: 422,
    retry: "never",
    advice: "Mend the value: it is too long, too large or of the wrong form for where it is put.",
  },
  "sql.failed": {
    http: 502,
    retry: "never",
    advice: "Look up the number in the facts in SQL Server's documentation.",
  },
  "sql.watermark_lost": {
    http: 409,
    retry: "never",
    advice: "The source was restored or lost its history: reset the pull, it then loads everything again.",
  },
  "sql.not_tracked": {
    http: 409,
    retry: "never",
    advice:
      "Switch Change Tracking or CDC on for the table, and grant the login to see it: docs/connectors/mssql.md has both.",
  },
  "sql.snapshot_unavailable": {
    http: 409,
    retry: "never",
    advice: "Run `ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON` on the server.",
  },
  "sql.no_key": {
    http: 400,
    retry: "never",
    advice:
      "Give the table a primary key or a unique index over columns that are not null, or read it without a watermark.",
  },
  "value.not_exact": {
    http: 422,
    retry: "never",
    advice:
      "Leave the column out, CAST it to text in a statement of the policy, or read times of 100 ns with `timestamps: text`.",
  },
  "write.outcome_unknown": {
    http: 502,
    retry: "never",
    advice: "Look in the target whether the write happened; repeat it only with an idempotency key.",
  },

  // Limits.
  "limit.rows": { http: 422, retry: "never", advice: "Raise `limits.rows` in the policy, or ask for less." },
  "limit.bytes": {
    http: 422,
    retry: "never",
    advice: "Raise the limit that the facts name, or leave the large column out.",
  },
  "limit.time": {
    http: 422,
    retry: "never",
    advice: "Give the table a key, filter the read, or choose a plan with more time.",
  },
  "limit.memory": {
    http: 422,
    retry: "never",
    advice: "Ask for smaller rows, or raise `executorMemory` in agent.yaml.",
  },
  "limit.sessions": {
    http: 429,
    retry: "free",
    advice: "Wait, or raise `limits.sessions` of the connection in the policy.",
  },
  "limit.logins": {
    http: 429,
    retry: "never",
    advice: "Too many failed logins: store the right password; the breaker opens after the policy's time.",
  },
  "limit.claims": {
    http: 500,
    retry: "never",
    advice: "The run ended its host too often: look at its error and the function app's log.",
  },
  "executor.crashed": {
    http: 502,
    retry: "later",
    advice: "One session's process ended by itself; the agent goes on. Report it if it happens again.",
  },

  // The orchestrator's own stores.
  "run.deadline": {
    http: 504,
    retry: "never",
    advice: "The run did not end within the pull's maximum duration: look at the agent, then retry.",
  },
  "storage.conflict": {
    http: 500,
    retry: "never",
    advice: "A blob has another content than the run says: somebody else writes to this container.",
  },
  "sink.busy": {
    http: 503,
    retry: "free",
    advice: "Wait: the run takes its turn by itself. If it waits often, let the function app scale out.",
  },
  "storage.failed": { http: 503, retry: "later", advice: "Look at the storage account's health." },
  "secrets.unavailable": {
    http: 503,
    retry: "later",
    advice: "The secret store did not answer or lacks this credential: store it with `PUT …/credential`.",
  },
  "queue.unparseable": {
    http: 400,
    retry: "never",
    advice: "A foreign message is in the queue: look in its dead-letter queue.",
  },
  "queue.unknown_run": {
    http: 404,
    retry: "never",
    advice:
      "Look in the queue's dead-letter queue for its message id, and whether another installation sends to this queue.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text);

/** Facts about an error that name no person, secret or value: numbers, states, field names. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The one error class. The code decides what happens next, the message is for people. */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }
}

/** Whether a repeat may succeed (`retryable` in an error frame). */
export const isRetryable = (code: ErrorCode): boolean => ERRORS[code].retry !== "never";

/** Any thrown value as a SallyportError; what is not ours gets `fallback` and a message of ours, never the other's text. */
export function toSallyportError(thrown: unknown, fallback: ErrorCode, message: string): SallyportError {
  return thrown instanceof SallyportError ? thrown : new SallyportError(fallback, message, {}, thrown);
}
