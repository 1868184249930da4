import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { RequestReport, ToExecutor, ToSupervisor } from "../pipe/messages.ts";
import type { FromSignIn, ToSignIn } from "../pipe/sign-in-messages.ts";
import { createSigningIn } from "./sign-in.ts";

const policy = {
  connections: {
    erp: { kind: "mssql" },
    corp: { kind: "activeDirectory", signIn: ["simple", "negotiate"] },
    plain: { kind: "activeDirectory", signIn: ["simple", "ntlm"] },
  },
} as unknown as Policy;
const session = (connection: string) => ({ request: { connection } as RequestReport });
const ASK: ToSupervisor = { say: "signIn" };
const START: ToSignIn = { say: "start", enc: "a", ciphertext: "b" };

function meet() {
  const told: ToExecutor[] = [];
  const children: { heard: ToSignIn[]; kills: number; hear(from: FromSignIn): void; end(): void }[] = [];
  const signingIn = createSigningIn({ send: (message) => told.push(message) }, policy, (hear, end) => {
    const child = { heard: [] as ToSignIn[], kills: 0, hear, end };
    children.push(child);
    return {
      send: (message) => child.heard.push(message),
      kill: () => {
        child.kills += 1;
      },
    };
  });
  return { told, children, signingIn };
}

test("messages go to the child and back, and the child goes with the session", () => {
  const { told, children, signingIn } = meet();
  assert.ok(signingIn.takes(ASK, session("corp")));
  assert.ok(signingIn.takes({ say: "signIn", to: START }, session("corp")));
  const [child] = children;
  assert.deepEqual(child?.heard, [START]);
  child?.hear({ say: "key", key: "k" });
  assert.deepEqual(told, [{ say: "signIn", from: { say: "key", key: "k" } }]);
  signingIn.close();
  assert.equal(child?.kills, 1);
});

test("no child for a session that was not let through, another kind of system, or a policy that does not name it", () => {
  const { children, signingIn } = meet();
  for (const one of [undefined, session("erp"), session("plain"), session("toString"), session("unknown")]) {
    assert.equal(signingIn.takes(ASK, one), false);
  }
  assert.equal(signingIn.takes({ say: "signIn", to: START }, session("corp")), false);
  assert.equal(signingIn.takes({ say: "ready" }, session("corp")), false);
  assert.equal(children.length, 0);
});

test("a session gets one", () => {
  const { signingIn, children } = meet();
  assert.ok(signingIn.takes(ASK, session("corp")));
  assert.equal(signingIn.takes(ASK, session("corp")), false);
  assert.equal(children.length, 1);
});

test("a child that ends too early is told of, one that was done is not, and nothing is told after the session", () => {
  const early = meet();
  early.signingIn.takes(ASK, session("corp"));
  early.children[0]?.end();
  assert.deepEqual(early.told, [{ say: "signIn", from: { say: "failed", why: "unavailable", number: 0 } }]);
  const done = meet();
  done.signingIn.takes(ASK, session("corp"));
  done.children[0]?.hear({ say: "token", token: "", isDone: true });
  done.children[0]?.end();
  assert.equal(done.told.length, 1);
  const closed = meet();
  closed.signingIn.takes(ASK, session("corp"));
  closed.signingIn.close();
  closed.children[0]?.hear({ say: "key", key: "k" });
  closed.children[0]?.end();
  assert.deepEqual(closed.told, []);
});
