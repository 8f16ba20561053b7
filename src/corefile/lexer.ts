/**
 * Cuts the text of a Corefile into words and braces, each with its place, and replaces environment variables in them. What the
 * words mean is left to the parser. The rules are those of the Caddyfile lexer that CoreDNS 1.15 has (coredns/caddy 1.1.4).
 */
import type { Position } from '../errors.ts'
import { type CorefileWarning, corefileError } from './errors.ts'

/** A word or a brace of a Corefile, and where it starts. Columns count characters, not bytes. */
export interface Token extends Position {
  /** The word without its quotes, environment variables replaced. */
  readonly text: string
  readonly quoted: boolean
  /** Braces are braces only when they stand alone and unquoted: `{$A}` and `"{"` are words. */
  readonly kind: 'word' | '{' | '}'
  /** Whether it is the first on its line, lines joined by a backslash counted as one. */
  readonly startsLine: boolean
}

/** Environment variables by name; one that is not there is replaced by nothing. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface LexerOptions {
  /** The file's name as it shall appear in positions. */
  readonly file: string
  readonly env: Environment
  /** Told of variables that are not set. */
  readonly warn: (warning: CorefileWarning) => void
}

const space = /\p{White_Space}/u

/**
 * All tokens of `text`. A byte order mark and carriage returns outside of quotes are dropped. Within double quotes `\"` is a
 * quote and every other backslash is itself. `#` outside of quotes starts a comment, also within a word. A backslash that
 * stands alone at the end of a line joins the next line to it. Throws PORTOLAN_COREFILE_SYNTAX when a quote is never closed.
 */
export function lex(text: string, options: LexerOptions): Token[] {
  const { file } = options
  const tokens: Token[] = []
  const letters = Array.from(text.startsWith('\uFEFF') ? text.slice(1) : text)
  let index = 0
  let line = 1
  let column = 1
  let startsLine = true

  const advance = (): string => {
    const letter = letters[index++]!
    if (letter === '\n') {
      line++
      column = 1
    } else {
      column++
    }
    return letter
  }

  const word = (): string => {
    let value = ''
    while (index < letters.length && letters[index] !== '#') {
      if (letters[index] === '\r') {
        advance()
        continue
      }
      if (space.test(letters[index]!)) break
      value += advance()
    }
    return value
  }

  const quotedWord = (start: Position): string => {
    let value = ''
    advance()
    while (index < letters.length) {
      const letter = advance()
      if (letter === '"') return value
      const next = letters[index]
      if (letter === '\\' && next === '"') value += advance()
      else if (letter === '\\' && next === '\\') value += letter + advance()
      else value += letter
    }
    throw corefileError('PORTOLAN_COREFILE_SYNTAX', start, 'this quote is never closed')
  }

  while (index < letters.length) {
    const letter = letters[index]!
    if (letter === '#') {
      while (index < letters.length && letters[index] !== '\n') advance()
    } else if (letter === '\\' && /^\r*\n/.test(letters.slice(index + 1, index + 4).join(''))) {
      while (advance() !== '\n');
    } else if (space.test(letter)) {
      if (advance() === '\n') startsLine = true
    } else {
      const start = { file, line, column }
      const quoted = letter === '"'
      const raw = quoted ? quotedWord(start) : word()
      const kind = !quoted && (raw === '{' || raw === '}') ? raw : 'word'
      tokens.push({ ...start, text: replaceVariables(raw, start, options), quoted, kind, startsLine })
      startsLine = false
    }
  }
  return tokens
}

/** Replaces `{%NAME%}` and `{$NAME}`. What a variable holds is text: it stays one word and makes no brace. */
function replaceVariables(word: string, at: Position, { env, warn }: LexerOptions): string {
  const lookUp = (name: string): string => {
    const value = env[name]
    if (value === undefined) warn({ at, message: `the environment variable ${name} is not set` })
    return value ?? ''
  }
  return replaceBetween(replaceBetween(word, '{%', '%}', lookUp), '{$', '}', lookUp)
}

function replaceBetween(text: string, open: string, close: string, value: (name: string) => string): string {
  let result = ''
  let done = 0
  for (;;) {
    const start = text.indexOf(open, done)
    const end = start < 0 ? -1 : text.indexOf(close, start + open.length)
    // Like Caddy, `{$}` is left as it stands, and so is what follows it.
    if (end <= start + open.length) return result + text.slice(done)
    result += text.slice(done, start) + value(text.slice(start + open.length, end))
    done = end + close.length
  }
}
