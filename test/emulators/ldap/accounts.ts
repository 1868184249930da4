/** Who may sign in, and what Windows says to who may not: result code 49 with its sub-code in the text [MS-ERREF 2.2]. */

export interface Account {
  readonly dn: string;
  /** `user@domain`. */
  readonly principal: string;
  /** `DOMAIN\user`. */
  readonly name: string;
  password: string;
  /** Why the right password is not enough. */
  state?: "disabled" | "expired" | "passwordExpired" | "mustChange" | "locked" | "logonHours" | "workstation";
  /** SIDs of the groups that it is in. */
  readonly groups?: readonly string[];
}

const SUB_CODES = {
  ...{ logonHours: "530", workstation: "531", passwordExpired: "532", disabled: "533" },
  ...{ expired: "701", mustChange: "773", locked: "775" },
} as const;

export type SignedIn = { readonly account: Account } | { readonly diagnostic: string };

const refused = (subCode: string): SignedIn => ({
  diagnostic: `80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data ${subCode}, v4563\0`,
});

/** The wrong password is told before the account's state, so that nobody learns it by guessing; a locked one is told first. */
export function signIn(accounts: readonly Account[], user: string, password: string): SignedIn {
  const same = (name: string): boolean => name.toLowerCase() === user.toLowerCase();
  const account = accounts.find(({ dn, principal, name }) => same(dn) || same(principal) || same(name));
  if (account === undefined) return refused("52e");
  if (account.state === "locked") return refused(SUB_CODES.locked);
  if (account.password !== password) return refused("52e");
  return account.state === undefined ? { account } : refused(SUB_CODES[account.state]);
}

/** A sign-in whose channel binding is of another TLS connection, or missing where it is demanded. */
export const CHANNEL_BINDING_REFUSED =
  "80090346: LdapErr: DSID-0C090587, comment: AcceptSecurityContext error, data 80090346, v4563\0";
