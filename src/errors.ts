/**
 * The one error class of the project. Packets never throw (malformed input is a value); everything else that goes wrong is a
 * `PortolanError` whose message a person can act on and whose `code` a program can test.
 */

/** A place in a text file; line and column count from 1. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

export class PortolanError extends Error {
  override readonly name = 'PortolanError'
  /** Stable, upper case, starts with `PORTOLAN_`. */
  readonly code: string
  /** Where in a configuration file the mistake is; its text already stands at the front of `message`. */
  readonly at: Position | undefined

  constructor(code: string, message: string, options: { cause?: unknown; at?: Position | undefined } = {}) {
    const { cause, at } = options
    super(at ? `${at.file}:${at.line}:${at.column}: ${message}` : message, cause === undefined ? undefined : { cause })
    this.code = code
    this.at = at
  }
}

/** The message of anything that was thrown, for a log line. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
