/**
 * Label selectors: the string form that API requests and the kubernetes plugin's options take, and the plain mapping of a
 * Service's `spec.selector`.
 */
import { PortolanError } from '../errors.ts'

export type Labels = Readonly<Record<string, string>>

/** Tells whether an object with these labels is selected. */
export type Selector = (labels: Labels) => boolean

/** True if each label of the selector is there with that value. An empty selector matches everything. */
export function matchesLabels(selector: Labels, labels: Labels): boolean {
  return Object.keys(selector).every(key => Object.hasOwn(labels, key) && labels[key] === selector[key])
}

/**
 * Parses `a=b,c!=d,e in (x,y),f notin (z),g,!h` (all must hold; `!=` and `notin` also select objects without the label), as the
 * API server does. An empty text selects everything. Throws `PORTOLAN_SELECTOR`, with the column of the mistake.
 */
export function parseSelector(text: string): Selector {
  const tokens = new Tokens(text)
  const requirements: Selector[] = []
  while (tokens.peek() !== '') {
    requirements.push(parseRequirement(tokens))
    if (tokens.peek() === '') break
    tokens.expect(',', '"," or the end')
    if (tokens.peek() === '') tokens.fail('a label after ","')
  }
  return labels => requirements.every(holds => holds(labels))
}

function parseRequirement(tokens: Tokens): Selector {
  const negated = tokens.take('!')
  const key = tokens.word('a label', isKey)
  if (negated || tokens.peek() === '' || tokens.peek() === ',') return labels => Object.hasOwn(labels, key) !== negated
  const { negative, values } = parseRestriction(tokens)
  return labels => (Object.hasOwn(labels, key) && values.has(labels[key]!)) !== negative
}

function parseRestriction(tokens: Tokens): { negative: boolean; values: Set<string> } {
  for (const sign of ['=', '==', '!=']) {
    if (tokens.take(sign)) return { negative: sign === '!=', values: new Set([parseValue(tokens)]) }
  }
  for (const word of ['in', 'notin']) {
    if (tokens.take(word)) return { negative: word === 'notin', values: parseValues(tokens) }
  }
  return tokens.fail('=, ==, !=, in or notin')
}

/** A value may be empty, which then shows in what follows it. */
function parseValue(tokens: Tokens): string {
  return ['', ',', ')'].includes(tokens.peek()) ? '' : tokens.word('a value', isValue)
}

function parseValues(tokens: Tokens): Set<string> {
  tokens.expect('(', '"("')
  const values = new Set([parseValue(tokens)])
  while (tokens.take(',')) values.add(parseValue(tokens))
  tokens.expect(')', '"," or ")"')
  return values
}

const namePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const prefixPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function isValue(text: string): boolean {
  return text.length <= 63 && namePattern.test(text)
}

function isKey(text: string): boolean {
  const slash = text.indexOf('/')
  const prefixed = slash >= 0
  return isValue(text.slice(slash + 1)) && (!prefixed || (slash <= 253 && prefixPattern.test(text.slice(0, slash))))
}

/** The words and signs of a selector; `''` stands for the end. */
class Tokens {
  readonly #text: string
  readonly #tokens: readonly RegExpExecArray[]
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = [...text.matchAll(/[!=]=|[!=(),<>]|[^\s!=(),<>]+/g)]
  }

  peek(): string {
    return this.#tokens[this.#at]?.[0] ?? ''
  }

  take(token: string): boolean {
    const taken = this.peek() === token
    if (taken) this.#at++
    return taken
  }

  expect(sign: string, expected: string): void {
    if (!this.take(sign)) this.fail(expected)
  }

  word(expected: string, valid: (text: string) => boolean): string {
    const word = this.peek()
    if (!valid(word)) this.fail(expected)
    this.#at++
    return word
  }

  /** Complains about the token that is next. */
  fail(expected: string): never {
    const token = this.#tokens[this.#at]
    const column = (token?.index ?? this.#text.length) + 1
    throw new PortolanError(
      'PORTOLAN_SELECTOR',
      `label selector "${this.#text}": expected ${expected} at column ${column}, found ${token ? `"${token[0]}"` : 'the end'}`,
    )
  }
}
