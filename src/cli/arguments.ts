/**
 * Reads a command line. Options have long names with one dash, as CoreDNS's have (Go's `flag`), or with two; their value is the
 * next argument or stands behind `=`.
 */
import { hint } from '../corefile/nearest.ts'
import { PortolanError } from '../errors.ts'

export interface Option {
  readonly help: string
  /** What its value is called in the help; without it the option has none. */
  readonly value?: string
  readonly alias?: readonly string[]
}

/** By name, in the order of the help. */
export type Options = Readonly<Record<string, Option>>

/** What was given: options under their first name, and everything else in order. */
export class Arguments {
  readonly words: readonly string[]
  readonly #values: ReadonlyMap<string, string>

  constructor(words: readonly string[], values: ReadonlyMap<string, string>) {
    this.words = words
    this.#values = values
  }

  /** The value of an option; undefined where it was not given. */
  text(name: string): string | undefined {
    return this.#values.get(name)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The word that an option gives. Throws PORTOLAN_USAGE where it is none of `choices`. */
  oneOf<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const text = this.#values.get(name) ?? otherwise
    const choice = choices.find(choice => choice === text)
    if (choice !== undefined) return choice
    const all = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
    throw usageError(`-${name} is ${all}, got "${text}"`)
  }

  /** The port that an option gives. Throws PORTOLAN_USAGE where it is none. */
  port(name: string, otherwise: number): number {
    const text = this.#values.get(name)
    return text === undefined ? otherwise : portNumber(text, `-${name}`)
  }
}

/** Throws PORTOLAN_USAGE for what is not a port; `what` begins its message. */
function portNumber(text: string, what: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw usageError(`${what}: a port is a number from 0 to 65535, got "${text}"`)
}

export function usageError(message: string): PortolanError {
  return new PortolanError('PORTOLAN_USAGE', message)
}

const TRUE = new Set(['', '1', 't', 'true', 'T', 'TRUE', 'True'])

/**
 * Of an option that is given twice the last counts; `-quiet=false` takes a flag back. Behind `--` nothing is an option, and
 * neither is a lone `-`. Throws PORTOLAN_USAGE.
 */
export function readArguments(args: readonly string[], options: Options): Arguments {
  const names = new Map<string, string>()
  for (const [name, { alias }] of Object.entries(options)) {
    for (const spelling of [name, ...(alias ?? [])]) names.set(spelling, name)
  }
  const words: string[] = []
  const values = new Map<string, string>()
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, dashes, spelling = '', assigned] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    if (dashes === undefined || arg === '-') {
      words.push(arg)
      continue
    }
    if (arg === '--') {
      words.push(...rest)
      break
    }
    const name = names.get(spelling)
    if (name === undefined)
      throw usageError(`unknown option "${dashes}${spelling}"${optionHint(spelling, names.keys())}`)
    if (options[name]!.value !== undefined) {
      const value = assigned ?? rest.shift()
      if (value === undefined) throw usageError(`${dashes}${spelling} needs a value: ${options[name]!.value}`)
      values.set(name, value)
    } else if (TRUE.has(assigned ?? '')) {
      values.set(name, '')
    } else {
      values.delete(name)
    }
  }
  return new Arguments(words, values)
}

function optionHint(spelling: string, known: Iterable<string>): string {
  return hint(spelling, known).replace('"', '"-')
}
