/** What a rule makes of a request: it allows it, it is about it and the request must mend something, or it is not for it. */
export type Fit<Grant> =
  | { readonly grant: Grant }
  | { readonly misuse: Misuse }
  | {
      readonly why: string;
      /** The rule speaks of what was asked for, so that its owner may want to hear why it does not allow it. */
      readonly near: boolean;
    };

/** Why a rule that is about this request does not fit it: what the request has to mend, or what the owner did not list. */
export interface Misuse {
  readonly code: "request.invalid" | "policy.denied";
  readonly reason: string;
}

export const elsewhere: Fit<never> = { why: "is about something else", near: false };
export const nearly = (why: string): Fit<never> => ({ why, near: true });
