/**
 * Random changes of people, the same from the same seed: new ones, values, renames, moves within, away and back, deletions, and
 * restores of who was deleted in this round or in one before.
 */
import { type Random, seeded } from "../crash/random.ts";
import { type Controller, DC } from "./controller.ts";
import { ldapModify, ldapSearch, SHOW_DELETED } from "./ldap-tools.ts";
import { STAFF, userDn, userName } from "./people.ts";

/** In one round. */
export const CHANGES = 200;
const OUTSIDE = `OU=Outside,${DC}`;
const [NORTH, SOUTH] = [`OU=North,${STAFF}`, `OU=South,${STAFF}`];
/** To be there before the first round. */
export const UNITS: readonly string[] = [OUTSIDE, NORTH, SOUTH];
const WITHIN = [STAFF, NORTH, SOUTH];

export interface Changer {
  /** @param round 1, 2 or 3 */
  change(round: number): Promise<void>;
}

export function createChanger(controller: Controller, seed: number): Changer {
  const random = seeded(seed);
  /** Who was deleted and not restored, by account name. */
  const deleted: string[] = [];
  const restore = async (count: number): Promise<void> => {
    const tombstones = await tombstonesOf(controller);
    const records = Array.from({ length: count }, (_, nth) => {
      const [name = ""] = deleted.splice(random.below(deleted.length), 1);
      return restored(tombstones.get(name) ?? `no tombstone of ${name}`, `CN=${name},${WITHIN[nth % 3]}`);
    });
    await ldapModify(controller, records, [SHOW_DELETED]);
  };
  return {
    async change(round) {
      // Of those that are gone already, as many as in a later one of those that this round deletes.
      if (deleted.length > 0) await restore(RESTORES);
      const made = draw(random, round);
      await ldapModify(controller, made.records);
      deleted.push(...made.deleted);
      await restore(RESTORES);
    },
  };
}

const RESTORES = 10;

/** LDIF of changes, most of them of somebody of their own, and who is deleted by them. */
function draw(random: Random, round: number): { readonly records: string[]; readonly deleted: string[] } {
  // Each of those that were there is changed at most once; more of them than are needed.
  const people = Array.from({ length: CHANGES }, (_, nth) => 1000 * round + nth * 4 + random.below(4));
  const away: number[] = [];
  const deleted: string[] = [];
  const records = people.map((index, nth) => {
    const dn = userDn(index);
    switch (nth % 6) {
      case 0:
        return `dn: CN=new ${round} ${nth},${WITHIN[nth % 3]}\nchangetype: add\nobjectClass: user\nsAMAccountName: new${round}x${nth}\n`;
      case 1:
        return `dn: ${dn}\nchangetype: modify\nreplace: department\ndepartment: Ny ${random.below(1e6)}\n`;
      case 2:
        return `dn: ${dn}\nchangetype: modrdn\nnewrdn: CN=renamed ${round} ${index}\ndeleteoldrdn: 1\n`;
      case 3:
        return moved(dn, `user${index}`, nth % 2 === 0 ? NORTH : SOUTH);
      case 4:
        away.push(index);
        return moved(dn, `user${index}`, OUTSIDE);
      default:
        deleted.push(userName(index));
        return `dn: ${dn}\nchangetype: delete\n`;
    }
  });
  const back = away
    .filter((_, nth) => nth % 3 === 0)
    .map((index) => moved(`CN=user${index},${OUTSIDE}`, `back${index}`, STAFF));
  return { records: [...records, ...back], deleted };
}

const moved = (dn: string, name: string, parent: string): string =>
  `dn: ${dn}\nchangetype: modrdn\nnewrdn: CN=${name}\ndeleteoldrdn: 1\nnewsuperior: ${parent}\n`;

/** Both in one request, by which a tombstone becomes an object again [MS-ADTS 3.1.1.5.3.7]. */
const restored = (tombstone: string, dn: string): string =>
  `dn: ${tombstone}\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\ndistinguishedName: ${dn}\n`;

/** Names of what is deleted, by account names. */
async function tombstonesOf(controller: Controller): Promise<Map<string, string>> {
  const out = await ldapSearch(controller, [
    ...["-E", `!${SHOW_DELETED}`, "-b", `CN=Deleted Objects,${DC}`],
    ...["(&(objectClass=user)(isDeleted=TRUE))", "sAMAccountName"],
  ]);
  const found = out.split("\n\n").flatMap((entry) => {
    const dn = /^dn: (.*)$/m.exec(entry)?.[1];
    const name = /^sAMAccountName: (.*)$/m.exec(entry)?.[1];
    return dn === undefined || name === undefined ? [] : [[name, dn] as const];
  });
  return new Map(found);
}
