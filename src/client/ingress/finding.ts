/** What is worth telling about the way that a request takes. */

/** A fault keeps the request from its backend, or its client from trusting the answer. */
export interface Finding {
  readonly fault: boolean
  /** A sentence without its full stop. */
  readonly text: string
}

export function fault(text: string): Finding {
  return { fault: true, text }
}

export function note(text: string): Finding {
  return { fault: false, text }
}
