/** The rules of docs/protocol.md, and the tests that prove them: by number in a test's name, or from the list here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Source, tokens } from "./source.ts";

const AGENT = "agent/src";
const SHARED = "shared/src";
const CLOUD = "cloud/src";

/** Tests whose names say the rule in words: file, and the test's name or its beginning. */
export const NAMED: Readonly<Record<string, readonly (readonly [file: string, name: string])[]>> = {
  "P1.1": [[`${SHARED}/crypto/jws.test.ts`, "for one purpose is worth nothing for another"]],
  "P1.2": [[`${SHARED}/crypto/jws.test.ts`, "that brings a key or a rule along is refused"]],
  "P1.4": [[`${AGENT}/pinning.test.ts`, "a statement by a pinned key replaces the set and raises the number"]],
  "P2.1": [
    [`${SHARED}/crypto/enrolment.test.ts`, "with any one symbol wrong is refused, the check symbol too"],
    [`${SHARED}/crypto/enrolment.test.ts`, "forgives case, separators, and what looks like 1 and 0"],
    ["test/e2e/agent/enrolment.test.ts", "a code that does not check is refused before anything is sent or written"],
  ],
  "P2.2": [
    [`${SHARED}/crypto/enrolment.test.ts`, "an answer's MAC binds key, code, request and answer"],
    ["test/e2e/agent/interception.test.ts", "2. enrolment: the code's secret never passes"],
  ],
  "P2.3": [
    ["test/e2e/agent/interception.test.ts", "2. enrolment: keys swapped in the answer are enrolment.intercepted"],
  ],
  "P2.4": [
    [`${CLOUD}/agents/enrolment.test.ts`, "gives the identical request the stored answer, and makes no second agent"],
    [`${CLOUD}/agents/enrolment.test.ts`, "refuses any other request, though its MAC be right"],
    ["test/e2e/agent/enrolment.test.ts", "a lost answer is asked for again with the same bytes, and pins one agent"],
  ],
  "P2.5": [[`${CLOUD}/agents/enrolment.test.ts`, "an expired code, to the millisecond"]],
  "P2.6": [[`${CLOUD}/agents/tries.test.ts`, "ten in a minute are the most, and then even the right one waits"]],
  "P2.7": [
    ["test/e2e/agent/enrolment.test.ts", "a pending agent says so and is told no listen URL"],
    ["test/e2e/agent/running.test.ts", "a pending agent asks on, and listens once it is approved"],
  ],
  "P2.8": [[`${CLOUD}/agents/code-keys.test.ts`, "is not to be read in the table, and opens with the secret store"]],
  "P3.1": [[`${CLOUD}/agents/tokens.test.ts`, "sent with another body, path or method than it signed is refused"]],
  "P3.2": [[`${CLOUD}/agents/tokens.test.ts`, "is taken once"]],
  "P3.3": [
    [`${CLOUD}/agents/tokens.test.ts`, "may be five minutes off; beyond that it learns the server's time"],
    ["test/e2e/agent/tls.test.ts", "a clock that is an hour off is told loudly, works on, and is told mended"],
  ],
  "P3.4": [
    [`${CLOUD}/agents/tokens.test.ts`, "is for the agent's own path only, for half an hour"],
    [`${AGENT}/supervisor/tokens.test.ts`, "a token that claims to live longer than an hour is refused"],
  ],
  "P3.5": [["test/e2e/agent/running.test.ts", ": renews its token over the open channel"]],
  "P3.6": [["test/e2e/agent/interception.test.ts", "3. token: a listen URL at "]],
  "P3.7": [
    ["test/e2e/cloud-agents.test.ts", "tells when a journal was cut or written anew, also one that has grown since"],
  ],
  "P4.6": [["test/e2e/agent/session.test.ts", "a ping session is let in beside full places, and serves nothing else"]],
  "P4.10": [[`${SHARED}/protocol/vectors.test.ts`, "has more negative vectors than positive ones"]],
  "P4.17": [
    ["test/e2e/agent/read.test.ts", "finish stops at a checkpoint: nothing after it, and the rest is read from there"],
  ],
  "P4.18": [
    [`${SHARED}/protocol/agent-stream.test.ts`, "pieces become one message, with what may stand between them"],
    [`${SHARED}/protocol/agent-stream.test.ts`, "a batch: 16 MiB, or one row, and a margin"],
  ],
  "P4.19": [["test/e2e/agent/read.test.ts", "every row arrives once, in a stream that any Arrow reader opens"]],
  "P4.20": [[`${AGENT}/executor/stream.test.ts`, "without credit heartbeats still go, and a stop ends the wait"]],
  "P4.21": [[`${CLOUD}/sessions/receive.test.ts`, "what comes after the end is not looked at"]],
  "P4.25": [[`${AGENT}/connectors/mssql/session.test.ts`, "a cancelled request is cancelled at the server"]],
  "P4.26": [["test/e2e/agent/read.test.ts", "finish stops at a checkpoint: nothing after it"]],
  "P4.28": [
    [`${AGENT}/executor/stream.test.ts`, "60 s without a valid frame end the session; a heartbeat keeps it"],
    [`${CLOUD}/sessions/receive.test.ts`, "by silence: 60 seconds without a valid frame"],
  ],
  "P4.29": [["test/e2e/agent/read.test.ts", "every row arrives once, in a stream that any Arrow reader opens"]],
  "P4.30": [
    [`${SHARED}/rows/check.test.ts`, "for a bomb, whatever length it states"],
    [`${SHARED}/rows/check.test.ts`, "when its metadata is longer than itself"],
  ],
  "P4.33": [
    [`${SHARED}/protocol/input-stream.test.ts`, "schema, batches in pieces and one end"],
    [`${AGENT}/executor/input.test.ts`, "more than its credit closes the session"],
    [`${CLOUD}/sessions/receive-write.test.ts`, "nothing is sent before the agent's credit"],
  ],
  "P4.34": [[`${AGENT}/executor/stream.test.ts`, "rows that nobody asked for are out of order"]],
  "P4.35": [
    [`${AGENT}/executor/input.test.ts`, "a small message that would become more than 16 MiB is refused"],
    ["test/e2e/agent/write.test.ts", "closes the session with 1002, and the agent goes on"],
  ],
  "P4.36": [
    [`${AGENT}/connectors/mssql/write/write.test.ts`, "nothing is written before the end of the rows"],
    ["test/e2e/agent/write.test.ts", "a cancel before the end of the rows leaves nothing"],
  ],
  "P4.37": [["test/e2e/agent/write.test.ts", "is told as such once the rollback is confirmed"]],
  "P4.38": [
    [`${CLOUD}/sessions/receive-write.test.ts`, "a session lost before the end of the rows may be repeated"],
    [`${CLOUD}/sessions/receive-write.test.ts`, "after the end of its rows"],
  ],
  "P4.39": [
    [
      "test/e2e/session-mask-key.test.ts",
      "an agent that hashes with another mask key than the run's is asked for nothing",
    ],
    [
      `${CLOUD}/pulls/masked.test.ts`,
      "a run whose columns are hashed asks its later sessions for the mask key of its first",
    ],
  ],
  "P4.40": [
    ["test/e2e/agent/owner.test.ts", "a lock ends a running session with agent.locked"],
    ["test/e2e/agent/owner.test.ts", "a session whose source is stuck is gone seconds after a lock"],
    ["test/e2e/agent/owner.test.ts", "a drain lets a running session go on to its next checkpoint"],
  ],
  "P4.41": [["test/e2e/agent/owner.test.ts", "an agent that learns that it was revoked ends its sessions and says so"]],
  "P5.1": [
    [`${SHARED}/protocol/errors.test.ts`, "has the codes that docs/errors.md names"],
    [`${SHARED}/protocol/errors.test.ts`, "retryable is every retry but never"],
  ],
  "P5.3": [
    [
      `${SHARED}/protocol/frames.test.ts`,
      "an agent's error is a code of the table, 500 characters, no control characters",
    ],
  ],
};

export const readRules = (): string => readFileSync(join(ROOT, "docs/protocol.md"), "utf8");

const NUMBER = /\bP\d+\.\d+\b/g;

/** Files whose texts are tests' names: tests, and the tables of the two suites. */
const holdsTests = ({ path }: Source): boolean =>
  path.endsWith(".test.ts") || /^test\/e2e\/malicious-[a-z]+\/[a-z]+\.ts$/.test(path);

/** One sentence for each rule that no test names, each number that is no rule's, and each named test that is gone. */
export function protocolFaults(page: string, sources: readonly Source[], named: typeof NAMED = NAMED): string[] {
  const rules = [...page.matchAll(/^\| (P\d+\.\d+) \|/gm)].map(([, rule]) => rule!);
  const numbered = new Set(
    sources
      .filter((source) => holdsTests(source) && source.path !== "test/rules/protocol.test.ts")
      .flatMap(({ text }) => tokens(text))
      .flatMap(({ kind, value }) => (kind === "text" ? (value.match(NUMBER) ?? []) : [])),
  );
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  const gone = Object.values(named)
    .flat()
    .filter(([file, name]) => texts.get(file)?.includes(name) !== true);
  const known = new Set(rules);
  return [
    ...rules.filter((rule, index) => rules.indexOf(rule) !== index).map((rule) => `${rule} stands there twice`),
    ...rules.filter((rule) => !numbered.has(rule) && !Object.hasOwn(named, rule)).map((rule) => `${rule} has no test`),
    ...[...numbered, ...Object.keys(named)].filter((rule) => !known.has(rule)).map((rule) => `${rule} is no rule`),
    ...gone.map(([file, name]) => `${file} has no test "${name}"`),
  ];
}
