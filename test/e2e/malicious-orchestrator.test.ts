/** A thief of the orchestrator's key as the attacker (docs/protocol.md): what the running agent refuses, and outlives. */
import { after, afterEach, before, describe, it } from "node:test";
import { FRAME_ATTACKS } from "./malicious-orchestrator/frames.ts";
import { REQUEST_ATTACKS } from "./malicious-orchestrator/requests.ts";
import { RULE_ATTACKS } from "./malicious-orchestrator/rules.ts";
import { startAttacked } from "./malicious-relay/bundle.ts";
import type { World } from "./malicious-relay/world.ts";

describe("a malicious orchestrator", { timeout: 900_000 }, () => {
  let world: World;
  before(async () => {
    world = await startAttacked();
  });
  after(() => world.close());
  afterEach(() => world.stillServes());

  for (const { rule, name, run } of [...REQUEST_ATTACKS, ...RULE_ATTACKS, ...FRAME_ATTACKS]) {
    it(`${rule} ${name}`, () => run(world));
  }
});
