/** How Azure's management services say no. */

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by what answers a request, and sent as it is. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly answer: Answer;
  constructor(answer: Answer) {
    super(`refused with ${answer.status}`);
    this.answer = answer;
  }
}

/** `{ error: { code, message, innererror? } }`, which Key Vault and Resource Manager share. */
export function refusal(status: number, code: string, message: string, inner?: string): Refusal {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return new Refusal({ status, body: { error: { code, message, ...innererror } } });
}
