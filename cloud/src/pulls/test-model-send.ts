/** How an actor of the exhaustive model writes: what the service and the network may make of it. */
import type { Rules } from "./test-model-rules.ts";
import { type Actor, apply, copy, newActor, type State, type Write } from "./test-model-state.ts";

export type Act = (state: State, actor: Actor) => void;

/** A copy of the state in which one actor has acted. */
export function fork(state: State, at: number, act: Act): State {
  const next = copy(state);
  act(next, next.actors[at]!);
  return next;
}

export interface Answers {
  readonly taken: Act;
  readonly refused: Act;
  /** No answer: taken, never taken, or taken later. */
  readonly silent: Act;
}

/** All that may become of the write that an actor has ready. */
export function send(state: State, at: number, rules: Rules, answers: Answers): State[] {
  const write = state.actors[at]!.write!;
  const outcome = (act: (next: State, actor: Actor, mine: Write) => void) =>
    fork(state, at, (next, actor) => {
      const mine = actor.write!;
      actor.write = null;
      act(next, actor, mine);
    });
  const heard = outcome((next, actor, mine) => {
    const taken = apply(next, mine, rules.etags);
    (taken ? answers.taken : answers.refused)(next, actor);
  });
  if (state.faults === 0) return [heard];
  const unheard = (land: (next: State, mine: Write) => void) =>
    outcome((next, actor, mine) => {
      next.faults -= 1;
      land(next, mine);
      answers.silent(next, actor);
    });
  const outcomes = [heard, unheard(() => undefined)];
  // A write that would be refused is refused later as well.
  if (rules.etags && !Object.values(write.fresh).every(Boolean)) return outcomes;
  outcomes.push(unheard((next, mine) => void apply(next, mine, rules.etags)));
  outcomes.push(unheard((next, mine) => void next.late.push(mine)));
  return outcomes;
}

/** What was sent and not answered may land at any time. */
export const landings = (state: State, rules: Rules): State[] =>
  state.late.flatMap((_, at) => {
    const next = copy(state);
    const [write] = next.late.splice(at, 1);
    if (apply(next, write!, rules.etags)) next.lateLanded = true;
    return [next];
  });

export const goTo =
  (where: string): Act =>
  (_, actor) => {
    actor.at = where;
  };

/** Nothing that an actor remembers counts any more. */
export const end: Act = (_, actor) => {
  Object.assign(actor, newActor(actor.name, "end"));
};

/** Tries again as long as a real one would; then it ends. */
export const again =
  (where: string, tries = 3): Act =>
  (state, actor) => {
    actor.tries += 1;
    if (actor.tries >= tries) end(state, actor);
    else actor.at = where;
  };
