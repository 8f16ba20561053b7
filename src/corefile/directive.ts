/**
 * One line of a Corefile's block: a plugin in a server block, an option in a plugin's block. It hands out its arguments one
 * after the other, as the values that they shall be, and throws a positioned error for the first that is not. Which options a
 * plugin knows is told to `readOptions` in `options.ts`.
 */
import { resolve } from 'node:path'
import type { PortolanError, Position } from '../errors.ts'
import type { NameKey } from '../wire/name.ts'
import { type HostPort, parseHostPort } from './addresses.ts'
import { parseDuration } from './duration.ts'
import { corefileError } from './errors.ts'
import type { Token } from './lexer.ts'
import { hint } from './nearest.ts'
import { domainFromText, zonesFromText } from './zones.ts'

/** What all readers of one argument take. */
export interface Argument<T> {
  /** What the argument is called in error messages, such as `ttl`; without one, messages speak of the directive alone. */
  readonly name?: string
  /** The value when there are no more arguments; without it the argument is required. */
  readonly default?: T
}

/** Bounds are inclusive. */
export interface NumberArgument extends Argument<number> {
  readonly min?: number
  readonly max?: number
}

/**
 * Arguments are read from left to right, once; `more` tells whether one is left. Every error has the code PORTOLAN_COREFILE_OPTION,
 * the place of the argument, and begins with the plugin's name.
 */
export class Directive {
  readonly name: string
  /** Where the name stands. */
  readonly at: Position
  /** The plugin it belongs to; its own name when it stands in a server block. */
  readonly plugin: string
  readonly args: readonly Token[]
  /** The lines between its braces; undefined when it has none. */
  readonly block: readonly Directive[] | undefined
  #next = 0
  #blockTaken = false

  constructor(plugin: string, name: Token, args: readonly Token[], block?: readonly Directive[]) {
    this.name = name.text
    this.at = { file: name.file, line: name.line, column: name.column }
    this.plugin = plugin
    this.args = args
    this.block = block
  }

  /** Whether an argument is left to read. */
  get more(): boolean {
    return this.#next < this.args.length
  }

  /** The next argument's text without reading it; undefined at the end. For arguments whose kind depends on their look. */
  get peek(): string | undefined {
    return this.args[this.#next]?.text
  }

  /** A text as it stands, never empty. */
  text(argument: Argument<string> = {}): string {
    return this.#read(argument, text => (text === '' ? undefined : text), 'must not be empty')
  }

  /** All arguments that are left, with their places; at least `min` of them. */
  rest({ name, min = 0 }: { readonly name?: string; readonly min?: number } = {}): readonly Token[] {
    const rest = this.args.slice(this.#next)
    if (rest.length < min) throw this.#missing(name)
    this.#next = this.args.length
    return rest
  }

  /** A whole number. */
  integer(argument: NumberArgument = {}): number {
    const parse = (text: string) => (/^[-+]?\d{1,15}$/.test(text) ? Number(text) : undefined)
    return this.#number(argument, parse, 'must be a whole number', String)
  }

  /** A time to live: whole seconds, from 0 to 2^31 - 1 (RFC 2181 section 8) unless told otherwise. */
  ttl(argument: NumberArgument = {}): number {
    return this.integer({ min: 0, max: 2 ** 31 - 1, ...argument })
  }

  /** A duration in Go's syntax, in milliseconds; not negative unless `min` allows it. `min`, `max` and `default` are milliseconds. */
  milliseconds(argument: NumberArgument = {}): number {
    const show = (value: number) => (value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`)
    return this.#number({ min: 0, ...argument }, parseDuration, 'must be a duration such as 500ms, 5s or 1h30m', show)
  }

  /** A duration in Go's syntax, in seconds (may have a fraction); not negative. `min`, `max` and `default` are seconds. */
  seconds(argument: NumberArgument = {}): number {
    const parse = (text: string) => {
      const value = parseDuration(text)
      return value === undefined ? undefined : value / 1000
    }
    return this.#number(
      { min: 0, ...argument },
      parse,
      'must be a duration such as 500ms, 5s or 1h30m',
      value => `${value}s`,
    )
  }

  /** A decimal number, whole or with a fraction. */
  number(argument: NumberArgument = {}): number {
    const parse = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined)
    return this.#number(argument, parse, 'must be a number', String)
  }

  /** A percentage such as `10%`, as 10. */
  percentage(argument: NumberArgument = {}): number {
    const parse = (text: string) => (/^\d{1,3}%$/.test(text) ? Number(text.slice(0, -1)) : undefined)
    return this.#number(
      { min: 0, max: 100, ...argument },
      parse,
      'must be a percentage such as 10%',
      value => `${value}%`,
    )
  }

  /** One of some words. */
  oneOf<T extends string>(choices: readonly T[], argument: Argument<T> = {}): T {
    const known = (text: string) => choices.find(choice => choice === text)
    const guess = hint(this.peek ?? '', choices)
    return this.#read(argument, known, `must be ${choices.map(choice => `"${choice}"`).join(' or ')}`, guess)
  }

  /** A domain name. */
  domain(argument: Argument<NameKey> = {}): NameKey {
    return this.#read(argument, domainFromText, 'must be a domain name')
  }

  /** A zone: a domain name, or a network (10.0.0.0/8) that one reverse zone covers. */
  zone(argument: Argument<NameKey> = {}): NameKey {
    const single = (text: string) => {
      const result = zonesFromText(text)
      return 'zones' in result && result.zones.length === 1 ? result.zones[0] : undefined
    }
    return this.#read(
      argument,
      single,
      'must be a domain name, or a network that is one reverse zone (10.0.0.0/8, 10.1.0.0/16 …)',
    )
  }

  /**
   * All arguments that are left, as zones; a network off an octet boundary becomes several. Without arguments `defaults`: the
   * server block's own for most plugins (`context.block.origins`), the root for `fallthrough`; without defaults one is required.
   */
  zones(defaults?: readonly NameKey[]): readonly NameKey[] {
    if (!this.more && defaults) return defaults
    return this.rest({ name: 'zones', min: 1 }).flatMap(token => {
      const result = zonesFromText(token.text)
      if ('problem' in result) throw this.error(result.problem, token)
      return result.zones
    })
  }

  /** An address to listen on or to reach; without `defaultPort` it must name its port. */
  address(defaultPort?: number, argument: Argument<HostPort> = {}): HostPort {
    const wanted = `must be an address${defaultPort === undefined ? ' with a port' : ''} such as 127.0.0.1:${defaultPort ?? 8080}`
    return this.#read(argument, text => parseHostPort(text, defaultPort), wanted)
  }

  /** A file or folder; a relative one starts from `directory`. Whether it exists is not looked at. */
  path(directory: string, argument: Argument<string> = {}): string {
    return this.#read(argument, text => (text === '' ? undefined : resolve(directory, text)), 'must name a file')
  }

  /** The lines of its block, to be read by the caller; none when it has no block. */
  takeBlock(): readonly Directive[] {
    this.#blockTaken = true
    return this.block ?? []
  }

  /** Throws when an argument or a block is left that nobody has read. */
  end(): void {
    const extra = this.args[this.#next]
    if (extra) throw this.error(`unexpected argument "${extra.text}" for ${this.name}`, extra)
    if (this.block && !this.#blockTaken) throw this.error(`${this.name} takes no block`)
  }

  /** An error of this directive, for what only the plugin can judge; `at` is an argument, or else the directive's name. */
  error(message: string, at: Position = this.at, cause?: unknown): PortolanError {
    return corefileError('PORTOLAN_COREFILE_OPTION', at, `${this.plugin}: ${message}`, cause)
  }

  #read<T>(argument: Argument<T>, parse: (text: string) => T | undefined, wanted: string, guess = ''): T {
    const token = this.args[this.#next]
    if (token === undefined) {
      if (argument.default !== undefined) return argument.default
      throw this.#missing(argument.name)
    }
    const value = parse(token.text)
    if (value === undefined)
      throw this.error(`${this.#subject(argument.name)} ${wanted}, got "${token.text}"${guess}`, token)
    this.#next++
    return value
  }

  #number(
    argument: NumberArgument,
    parse: (text: string) => number | undefined,
    wanted: string,
    show: (value: number) => string,
  ): number {
    const token = this.args[this.#next]
    const value = this.#read(argument, parse, wanted)
    if (token === undefined) return value
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = argument
    if (value >= min && value <= max) return value
    const tooSmall = min === 0 ? 'not be negative' : min === 1 ? 'be above 0' : `be at least ${show(min)}`
    const bound = value > max ? `be at most ${show(max)}` : tooSmall
    throw this.error(`${this.#subject(argument.name)} must ${bound}, got "${token.text}"`, token)
  }

  /** `success cap`: the option and what its argument is called, each once. */
  #subject(argument: string | undefined): string {
    const words = [this.name === this.plugin ? undefined : this.name, argument === this.name ? undefined : argument]
    return words.filter(word => word !== undefined).join(' ') || argument || 'the argument'
  }

  #missing(argument: string | undefined): PortolanError {
    return this.error(
      `${this.name} needs ${argument === undefined || argument === this.name ? 'an argument' : `its ${argument}`}`,
    )
  }
}
