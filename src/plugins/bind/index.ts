/**
 * `bind`: which of the machine's addresses the server block listens on, by address or by name of the interface.
 */
import { isIP } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { Directive } from '../../corefile/directive.ts'
import type { Token } from '../../corefile/lexer.ts'
import { readOptions } from '../../corefile/options.ts'
import type { Block, Fixture, PluginDefinition } from '../../plugin/plugin.ts'

type Interfaces = ReturnType<typeof networkInterfaces>

export const definition: PluginDefinition = {
  name: 'bind',
  repeatable: true,
  setup: (directive, { block }) => bind(directive, block, networkInterfaces()),
}

/** Adds the directive's addresses to those of the block. Interfaces are looked up now: at start and at each reload. */
export function bind(directive: Directive, block: Block, interfaces: Interfaces): Fixture {
  const addressesOf = (tokens: readonly Token[]) => tokens.flatMap(token => resolved(token, directive, interfaces))
  const wanted = addressesOf(directive.rest({ name: 'address or interface', min: 1 }))
  let excepted: string[] = []
  readOptions(directive, {
    except(option) {
      excepted = addressesOf(option.rest({ name: 'address or interface', min: 1 }))
    },
  })
  const kept = wanted.filter(address => !excepted.includes(address))
  // An empty list would mean all addresses: the opposite of what was asked for.
  if (kept.length === 0) throw directive.error('"except" leaves no address to listen on')
  block.listen = [...new Set([...block.listen, ...kept])]
  return { name: 'bind' }
}

function resolved(token: Token, directive: Directive, interfaces: Interfaces): string[] {
  const found = Object.hasOwn(interfaces, token.text) ? interfaces[token.text] : undefined
  if (found) return found.map(info => addressOn(token.text, info))
  if (isIP(token.text) !== 0) return [token.text]
  const known = Object.keys(interfaces).join(', ')
  throw directive.error(`not an IP address or the name of an interface that has one: "${token.text}" (${known})`, token)
}

/** A link-local address means nothing without its interface (RFC 4007 section 11). */
function addressOn(name: string, { address, family }: NetworkInterfaceInfo): string {
  return family === 'IPv6' && /^fe[89ab]/i.test(address) ? `${address}%${name}` : address
}
