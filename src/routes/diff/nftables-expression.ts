/** Writes what `nft -j` says of rules and elements as our renderers write it. What they never write keeps its JSON. */

export type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json }

type JsonObject = { readonly [key: string]: Json }

/** The only key of an object, and its value: `{"goto": {…}}` is a statement or an expression of the kind `goto`. */
function only(value: JsonObject): readonly [kind: string, body: Json] {
  const [kind = ''] = Object.keys(value)
  return [kind, value[kind] ?? null]
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A rule's statements in order; `family` is that of its table. */
export function statementsText(statements: readonly Json[], family: string): string {
  return statements.map(statement => statementText(statement, family)).join(' ')
}

function statementText(statement: Json, family: string): string {
  if (!isObject(statement)) return expressionText(statement)
  const [kind, body] = only(statement)
  if (!isObject(body)) return kind
  switch (kind) {
    case 'match':
      return matchText(body)
    case 'vmap':
      return `${expressionText(body['key']!)} vmap ${expressionText(body['data']!)}`
    case 'mangle':
      return `${expressionText(body['key']!)} set ${expressionText(body['value']!)}`
    case 'set':
      return `${body['op']} ${body['set']} { ${expressionText(body['elem']!)} }`
    case 'dnat':
      return `dnat ${body['family'] ?? family} to ${addressText(body)}`
    case 'masquerade':
      return ['masquerade', ...[body['flags'] ?? []].flat()].join(' ')
    case 'reject':
      // What it says unless it is told otherwise.
      return body['expr'] === 'port-unreachable' ? 'reject' : `reject with ${body['type']} ${body['expr']}`
    case 'jump':
    case 'goto':
      return `${kind} ${body['target']}`
    case 'counter':
      return 'counter'
    default:
      return JSON.stringify(statement)
  }
}

function matchText({ op, left, right }: JsonObject): string {
  const [from, to] = [expressionText(left!), expressionText(right!)]
  const silent = op === 'in' || (op === '==' && !(isObject(left) && only(left)[0] in operators))
  return silent ? `${from} ${to}` : `${from} ${op} ${to}`
}

function addressText({ addr, port }: JsonObject): string {
  const address = expressionText(addr!)
  if (port === undefined) return address
  return address.includes(':') ? `[${address}]:${expressionText(port)}` : `${address}:${expressionText(port)}`
}

const operators: Readonly<Record<string, string>> = { '&': '&', '|': '|', '^': '^' }
const protocols: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' }

/** Also the keys and values of elements. */
export function expressionText(value: Json): string {
  if (Array.isArray(value)) return value.map(expressionText).join(' : ')
  if (!isObject(value)) return String(value)
  const [kind, body] = only(value)
  if (kind in operators && Array.isArray(body)) return body.map(bitsText).join(` ${kind} `)
  if (kind === 'concat' && Array.isArray(body)) return body.map(expressionText).join(' . ')
  if (kind === 'set' && Array.isArray(body)) return `{ ${body.map(expressionText).join(', ')} }`
  if (!isObject(body)) return kind
  switch (kind) {
    case 'goto':
    case 'jump':
      return `${kind} ${body['target']}`
    case 'prefix':
      return `${body['addr']}/${body['len']}`
    case 'payload':
      return `${body['protocol']} ${body['field']}`
    case 'meta':
    case 'ct':
      return `${kind} ${body['key']}`
    case 'fib':
      return `fib ${[body['flags']!].flat().join(' . ')} ${body['result']}`
    case 'numgen':
      return `numgen ${body['mode']} mod ${body['mod']}${body['offset'] ? ` offset ${body['offset']}` : ''}`
    case 'map':
      return `${expressionText(body['key']!)} map ${expressionText(body['data']!)}`
    case 'elem':
      return expressionText(body['val']!)
    default:
      return JSON.stringify(value)
  }
}

function bitsText(value: Json): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : expressionText(value)
}

/** The key of an element, in which a protocol that nft has no name for is named. */
export function keyText(value: Json): string {
  if (!isObject(value)) return expressionText(value)
  const { concat, elem } = value
  if (isObject(elem)) return keyText(elem['val']!)
  if (!Array.isArray(concat)) return expressionText(value)
  return concat.map(part => (typeof part === 'string' ? (protocols[part] ?? part) : expressionText(part))).join(' . ')
}
