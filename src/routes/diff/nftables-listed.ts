/** Reads what `nft -j list ruleset`, or `list table`, writes. */
import { PortolanError } from '../../errors.ts'
import { expressionText, isObject, type Json, keyText, statementsText } from './nftables-expression.ts'
import { inOrder, type NftTable, type NftTables } from './nftables-table.ts'

/** Throws PORTOLAN_ROUTES_DUMP for what is not of that form. */
export function readListed(json: string): NftTables {
  const tables: NftTables = new Map()
  for (const entry of entriesOf(json)) {
    for (const [kind, body] of Object.entries(entry)) if (isObject(body)) enter(tables, kind, body)
  }
  return tables
}

function entriesOf(json: string): readonly Record<string, Json>[] {
  let listed: unknown
  try {
    listed = JSON.parse(json)
  } catch (cause) {
    throw new PortolanError('PORTOLAN_ROUTES_DUMP', 'this is not what `nft -j list ruleset` writes', { cause })
  }
  const entries = (listed as { nftables?: unknown } | null)?.nftables
  if (!Array.isArray(entries))
    throw new PortolanError('PORTOLAN_ROUTES_DUMP', 'this is JSON, but not what `nft -j list ruleset` writes')
  return entries
}

type Body = { readonly [key: string]: Json }

function enter(tables: NftTables, kind: string, body: Body): void {
  if (kind === 'table') tableOf(tables, body['family'], body['name'])
  if (kind === 'chain') enterChain(tableOf(tables, body['family'], body['table']), body)
  if (kind === 'rule') enterRule(tableOf(tables, body['family'], body['table']), body)
  if (kind === 'map' || kind === 'set') enterSet(tableOf(tables, body['family'], body['table']), kind, body)
}

function tableOf(tables: NftTables, family: Json | undefined, name: Json | undefined): NftTable {
  const key = `${family} ${name}`
  const known = tables.get(key)
  if (known !== undefined) return known
  const made: NftTable = { sets: new Map(), chains: new Map() }
  tables.set(key, made)
  return made
}

function enterChain({ chains }: NftTable, { name, type, hook, prio }: Body): void {
  const before = chains.get(String(name))
  chains.set(String(name), {
    hook: hook === undefined ? '' : `${type} ${hook} ${prio}`,
    rules: before?.rules ?? [],
  })
}

function enterRule({ chains }: NftTable, { family, chain, expr, comment }: Body): void {
  const known = chains.get(String(chain)) ?? { hook: '', rules: [] }
  chains.set(String(chain), known)
  const meaning = inOrder(statementsText(Array.isArray(expr) ? expr : [], String(family)))
  known.rules.push({ meaning, comment: comment === undefined ? '' : String(comment) })
}

function enterSet({ sets }: NftTable, kind: 'map' | 'set', { name, elem, timeout }: Body): void {
  const elements = new Map<string, string>()
  for (const element of Array.isArray(elem) ? elem : []) {
    if (kind === 'map' && Array.isArray(element)) elements.set(keyText(element[0]!), expressionText(element[1]!))
    else elements.set(keyText(element), '')
  }
  sets.set(String(name), { kind, timeout: Number(timeout ?? 0), elements })
}
