/**
 * What a Corefile says, once parsed: server blocks with their addresses and directives. Which plugins exist is left to
 * `checks.ts`, what their options mean to the plugins.
 */
import type { Position } from '../errors.ts'
import type { Directive } from './directive.ts'
import { corefileError, positionText } from './errors.ts'
import type { ServerAddress } from './keys.ts'

/** One server block: the zones it serves and where, and its plugins in the order they were written. */
export interface ServerBlock {
  /** Where the first key stands. */
  readonly at: Position
  /** At least one. */
  readonly addresses: readonly ServerAddress[]
  readonly directives: readonly Directive[]
}

/** All uses of a plugin in a server block, in the order they were written; empty when it is not used. */
export function directivesNamed(block: ServerBlock, name: string): Directive[] {
  return block.directives.filter(directive => directive.name === name)
}

/**
 * The one use of a plugin that may be used once per server block; undefined when it is not used. Throws
 * PORTOLAN_COREFILE_PLUGIN at the second use.
 */
export function onlyDirective(block: ServerBlock, name: string): Directive | undefined {
  const [first, second] = directivesNamed(block, name)
  if (first && second) {
    const message = `${name}: can be used once per server block, and is already used at ${positionText(first.at)}`
    throw corefileError('PORTOLAN_COREFILE_PLUGIN', second.at, message)
  }
  return first
}
