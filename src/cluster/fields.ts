/**
 * Reads API JSON whose shape nobody has checked yet, one named field at a time. Kubernetes treats `null` as absent, and so do
 * these. What the fields mean is left to the caller.
 */
import { PortolanError } from '../errors.ts'

/** Thrown for a field of the wrong shape; the message starts with the field's path (`spec.ports[0].port`). */
const misshapen = 'PORTOLAN_OBJECT_SHAPE'

/** A JSON object and the path that leads to it. Every method throws a `PortolanError` with code `misshapen` for a wrong shape. */
export class Fields {
  /** The whole object, unread. */
  readonly json: Readonly<Record<string, unknown>>
  readonly #path: string

  constructor(json: unknown, path = '') {
    if (!isRecord(json))
      throw new PortolanError(misshapen, `${path || 'the object'} must be a mapping, got ${shown(json)}`)
    this.json = json
    this.#path = path
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined
  }

  /** The object in this field; an absent one reads as empty. */
  child(name: string): Fields {
    return new Fields(this.#value(name) ?? {}, this.#at(name))
  }

  children(name: string): Fields[] {
    return this.#list(name).map((item, index) => new Fields(item, `${this.#at(name)}[${index}]`))
  }

  text(name: string): string | undefined
  text(name: string, absent: string): string
  text(name: string, absent?: string): string | undefined {
    const value = this.#value(name) ?? absent
    return value === undefined || typeof value === 'string' ? value : this.#wrong(name, 'a string', value)
  }

  texts(name: string): string[] {
    return this.#list(name).map((item, index) =>
      typeof item === 'string' ? item : this.#wrong(`${name}[${index}]`, 'a string', item),
    )
  }

  /** A mapping of strings to strings, such as labels; a copy without the values that are `null`. */
  map(name: string): Record<string, string> {
    const child = this.child(name)
    const map: Record<string, string> = {}
    for (const key of Object.keys(child.json)) {
      const value = child.text(key)
      if (value !== undefined) map[key] = value
    }
    return map
  }

  flag(name: string): boolean | undefined {
    const value = this.#value(name)
    return value === undefined || typeof value === 'boolean' ? value : this.#wrong(name, 'true or false', value)
  }

  /** A whole number from `least` to `most`. */
  integer(name: string, least: number, most: number): number | undefined {
    const value = this.#value(name)
    if (value === undefined) return undefined
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    return fits ? value : this.#wrong(name, `a whole number from ${least} to ${most}`, value)
  }

  /** A number as `integer` takes it, or a string (`IntOrString` of the API). */
  integerOrText(name: string, least: number, most: number): number | string | undefined {
    const value = this.#value(name)
    return typeof value === 'string' ? value : this.integer(name, least, most)
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], absent: T): T {
    const value = this.#value(name) ?? absent
    return allowed.find(choice => choice === value) ?? this.#wrong(name, allowed.join(', '), value)
  }

  /** Refuses the value of a field: `expected` says what it must be. */
  refuse(name: string, expected: string): never {
    return this.#wrong(name, expected, this.#value(name))
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.json, name) ? (this.json[name] ?? undefined) : undefined
  }

  #list(name: string): unknown[] {
    const value = this.#value(name) ?? []
    return Array.isArray(value) ? value : this.#wrong(name, 'a list', value)
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  #wrong(name: string, expected: string, value: unknown): never {
    const found = value === undefined ? 'is missing' : `must be ${expected}, got ${shown(value)}`
    const quote = expected === 'a string' && typeof value !== 'object' ? ' (put it in quotes)' : ''
    throw new PortolanError(misshapen, `${this.#at(name)} ${found}${quote}`)
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
