/** How many of something one process does at once: of all tenants, and of each, so that none keeps the others out. */

export interface Places {
  /** A place, until the answer is called; undefined when there is none. */
  take(tenant: string): (() => void) | undefined;
}

export function places(most: number, mostOfATenant: number): Places {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(tenant) {
      const own = taken.get(tenant) ?? 0;
      if (all >= most || own >= mostOfATenant) return undefined;
      all += 1;
      taken.set(tenant, own + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        all -= 1;
        const left = taken.get(tenant)! - 1;
        if (left > 0) taken.set(tenant, left);
        else taken.delete(tenant);
      };
    },
  };
}
