import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { abandonWhenIdle } from "./idle.ts";

test("anything that moves postpones the end; silence brings it, once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const socket = new EventEmitter();
  let abandoned = 0;
  const watch = abandonWhenIdle(socket, 1000, () => {
    abandoned += 1;
  });
  for (const move of [
    () => socket.emit("message"),
    () => socket.emit("ping"),
    () => socket.emit("pong"),
    watch.moved,
  ]) {
    t.mock.timers.tick(999);
    move();
  }
  t.mock.timers.tick(999);
  assert.equal(abandoned, 0);
  t.mock.timers.tick(1);
  assert.equal(abandoned, 1);
  watch.moved();
  socket.emit("message");
  t.mock.timers.tick(5000);
  assert.equal(abandoned, 1);
});

test("a watch that was stopped says nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const watch = abandonWhenIdle(new EventEmitter(), 1000, () => assert.fail("abandoned"));
  watch.stop();
  watch.moved();
  t.mock.timers.tick(5000);
});
