/** The relay's operator as the attacker (docs/protocol.md): each rule that holds it off, on the running agent. */
import { after, afterEach, before, describe, it } from "node:test";
import { startAttacked } from "./malicious-relay/bundle.ts";
import { CONTROL_ATTACKS } from "./malicious-relay/control.ts";
import { MESSAGE_ATTACKS } from "./malicious-relay/messages.ts";
import { SLOW_ATTACKS } from "./malicious-relay/slow.ts";
import { WIRING_ATTACKS } from "./malicious-relay/wiring.ts";
import type { World } from "./malicious-relay/world.ts";

describe("a malicious relay", { timeout: 900_000 }, () => {
  let world: World;
  before(async () => {
    world = await startAttacked();
  });
  after(() => world.close());
  afterEach(() => world.stillServes());

  for (const { rule, name, run } of [...MESSAGE_ATTACKS, ...WIRING_ATTACKS, ...CONTROL_ATTACKS, ...SLOW_ATTACKS]) {
    it(`${rule} ${name}`, () => run(world));
  }
});
