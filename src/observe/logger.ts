/**
 * Log lines for people (default) or as JSON, through pino. The line's form is CoreDNS's own: `[INFO] plugin/kubernetes: text`.
 */
import { pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

export interface Logger {
  /** Whether `debug` writes anything: for lines that are costly to make. */
  readonly debugging: boolean
  debug(text: string, fields?: object): void
  info(text: string, fields?: object): void
  warning(text: string, fields?: object): void
  error(text: string, fields?: object): void
  /** A logger whose lines begin with `scope: `. */
  scoped(scope: string): Logger
}

export interface LoggerOptions {
  /** `text` writes one plain line an entry, `json` pino's. */
  readonly format: 'text' | 'json'
  readonly debug?: boolean
  readonly write: (line: string) => void
}

export function logger(options: LoggerOptions): Logger {
  const sink = pino({ level: options.debug ? 'debug' : 'info', base: null }, { write: options.write })
  const debugging = options.debug ?? false
  const scoped = (scope: string): Logger => {
    const prefix = scope === '' ? '' : `${scope}: `
    const entry = (level: LogLevel, text: string, fields: object = {}) => {
      if (options.format === 'text') options.write(`[${level.toUpperCase()}] ${prefix}${text}\n`)
      else sink[level === 'warning' ? 'warn' : level](scope === '' ? fields : { scope, ...fields }, text)
    }
    return {
      debugging,
      debug: debugging ? (text, fields) => entry('debug', text, fields) : () => undefined,
      info: (text, fields) => entry('info', text, fields),
      warning: (text, fields) => entry('warning', text, fields),
      error: (text, fields) => entry('error', text, fields),
      scoped: inner => scoped(inner),
    }
  }
  return scoped('')
}
