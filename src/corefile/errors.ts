/**
 * Mistakes in a Corefile: how they are made (always with a place) and how they are shown to a person (with the source line and
 * carets). Deciding what is a mistake is left to the lexer, the parser, the checks and the plugins.
 */
import { PortolanError, type Position } from '../errors.ts'

/** What kind of mistake it is; the `code` of the error. */
export type CorefileErrorCode =
  | 'PORTOLAN_COREFILE_SYNTAX'
  | 'PORTOLAN_COREFILE_IMPORT'
  | 'PORTOLAN_COREFILE_KEY'
  | 'PORTOLAN_COREFILE_OVERLAP'
  | 'PORTOLAN_COREFILE_TRANSPORT'
  | 'PORTOLAN_COREFILE_PLUGIN'
  | 'PORTOLAN_COREFILE_OPTION'

/** Something in a Corefile that works but is probably not what its author wanted. */
export interface CorefileWarning {
  readonly at: Position
  readonly message: string
}

/**
 * A positioned error: its message starts with `file:line:column: ` and is one line, whatever words of the Corefile it repeats.
 * Only the position of `at` is kept.
 */
export function corefileError(code: CorefileErrorCode, at: Position, message: string, cause?: unknown): PortolanError {
  return new PortolanError(code, printable(message), { at: positionOf(at), ...(cause === undefined ? {} : { cause }) })
}

/** The bare position of anything that has one. */
export function positionOf({ file, line, column }: Position): Position {
  return { file, line, column }
}

/** `Corefile:9:5`. */
export function positionText({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`
}

/** `Corefile:4:9: warning: …`: one line, the shape of an error's message. */
export function warningText({ at, message }: CorefileWarning): string {
  return `${positionText(at)}: warning: ${printable(message)}`
}

/**
 * The message with, below it, the line of `source` it speaks of and carets under the word at its position. `source` is the
 * text of the file that the position names. An error without a position, or one outside of `source`, is its message alone.
 *
 * ```
 * Corefile:9:5: cache: unknown option "serve_stael": did you mean "serve_stale"?
 *    9 |     serve_stael 1h
 *      |     ^^^^^^^^^^^
 * ```
 */
export function renderMistake(mistake: PortolanError | CorefileWarning, source: string): string {
  const message = mistake instanceof Error ? mistake.message : warningText(mistake)
  const line = mistake.at && source.replace(/^\uFEFF/, '').split('\n')[mistake.at.line - 1]
  if (mistake.at === undefined || line === undefined) return message
  const text = line.replaceAll('\r', '')
  const letters = Array.from(text)
  const before = letters.slice(0, mistake.at.column - 1)
  const width = wordWidth(letters.slice(mistake.at.column - 1).join(''))
  // Tabs are repeated, so that the carets stand right whatever a terminal takes a tab for.
  const indent = before.map(letter => (letter === '\t' ? '\t' : ' ')).join('')
  const gutter = String(mistake.at.line).padStart(4)
  return `${message}\n${gutter} | ${text}\n${' '.repeat(gutter.length)} | ${indent}${'^'.repeat(width)}`
}

/** Control characters as escapes: a message is one line, and a Corefile must not steer a terminal. */
function printable(message: string): string {
  return message.replace(/[\0-\x1f\x7f-\x9f]/g, control => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** How many letters the word at the start of `text` has; a quoted one with its quotes; at least 1. */
function wordWidth(text: string): number {
  const word = /^"(?:\\"|[^"])*"?|^[^\s#]+/u.exec(text)
  return word ? Array.from(word[0]).length : 1
}
