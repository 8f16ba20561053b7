/**
 * Log lines for people (default) or as JSON, through pino. Both have the form of CoreDNS's own: `[INFO] plugin/kubernetes: text`,
 * and `{"level":"INFO","time":…,"msg":"text","plugin":"kubernetes"}`.
 */
import { pino } from 'pino'

export const logLevels = ['debug', 'info', 'warning', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export interface Logger {
  /** Whether `debug` writes anything: for lines that are costly to make. */
  readonly debugging: boolean
  /** Whether lines are JSON, so that fields reach their reader; plain lines are the text alone. */
  readonly structured: boolean
  debug(text: string, fields?: object): void
  info(text: string, fields?: object): void
  warning(text: string, fields?: object): void
  error(text: string, fields?: object): void
  /** A logger whose lines begin with `scope: ` instead; with nothing where it is empty. */
  scoped(scope: string): Logger
  /** Has this logger and all scopes of it write debug lines until the returned function is called. */
  turnUp(): () => void
}

export interface LoggerOptions {
  /** `text` writes one plain line an entry, `json` pino's. */
  readonly format: 'text' | 'json'
  readonly debug?: boolean
  /** Gets one line at a time, its end included. */
  readonly write: (line: string) => void
  /** The `time` of JSON lines, in milliseconds since the Unix epoch. */
  readonly now?: () => number
}

const pinoLevels = { debug: 'debug', info: 'info', warning: 'warn', error: 'error' } as const

export function logger({ format, debug = false, write, now = Date.now }: LoggerOptions): Logger {
  const structured = format === 'json'
  const sink = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: label => ({ level: label.toUpperCase() }) },
    },
    { write },
  )
  let listeners = debug ? 1 : 0

  const scoped = (scope: string): Logger => {
    const prefix = scope === '' ? '' : `${scope}: `
    const scopeField = scope.startsWith('plugin/') ? { plugin: scope.slice('plugin/'.length) } : scope && { scope }
    const entry = (level: LogLevel, text: string, fields?: object) => {
      if (structured) sink[pinoLevels[level]]({ ...(scopeField || {}), ...fields }, text)
      else write(`[${level.toUpperCase()}] ${prefix}${text}\n`)
    }
    return {
      structured,
      get debugging() {
        return listeners > 0
      },
      debug: (text, fields) => {
        if (listeners > 0) entry('debug', text, fields)
      },
      info: (text, fields) => entry('info', text, fields),
      warning: (text, fields) => entry('warning', text, fields),
      error: (text, fields) => entry('error', text, fields),
      scoped,
      turnUp() {
        let on = true
        listeners++
        return () => {
          if (on) listeners--
          on = false
        }
      },
    }
  }
  return scoped('')
}
