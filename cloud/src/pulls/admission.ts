/** Whose turn it is when more is due than can be done at once: fair among tenants, and no more than a site takes. Pure. */
import type { Doorbell } from "./ring.ts";

/** The first of each tenant, then the second of each, and so on: nobody waits for the end of another one's backlog. */
export function inTurn<T extends { readonly tenant: string }>(items: readonly T[]): T[] {
  const rounds: T[][] = [];
  for (const own of Map.groupBy(items, ({ tenant }) => tenant).values()) {
    for (const [at, item] of own.entries()) {
      const round = rounds[at] ?? [];
      round.push(item);
      rounds[at] = round;
    }
  }
  return rounds.flat();
}

export interface Admitted {
  readonly bell: Doorbell;
  /** Rounds of a site that are rung, or running, before this one. */
  readonly round: number;
}

/**
 * The doorbells in the order in which they are rung. `siteOf`: of a run's pull; undefined where it is not known. `takes`:
 * sessions that a site serves at once; `busy`: those that it serves already. What goes beyond is for the site's next round.
 */
export function admit(
  bells: readonly Doorbell[],
  siteOf: (bell: Doorbell) => string | undefined,
  takes: (tenant: string, site: string) => number,
  busy: (tenant: string, site: string) => number,
): Admitted[] {
  const rung = new Map<string, number>();
  const once = new Map(bells.map((bell) => [`${bell.tenant}|${bell.pull}|${bell.run}`, bell]));
  return inTurn([...once.values()]).map((bell) => {
    const site = siteOf(bell);
    if (site === undefined) return { bell, round: 0 };
    const before = rung.get(`${bell.tenant}|${site}`) ?? busy(bell.tenant, site);
    rung.set(`${bell.tenant}|${site}`, before + 1);
    return { bell, round: Math.floor(before / Math.max(1, takes(bell.tenant, site))) };
  });
}
