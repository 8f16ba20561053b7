/** `multisocket`: how many sockets, each with an answer thread of its own, share the UDP port of the server block. */
import { availableParallelism } from 'node:os'
import { readOptions } from '../../corefile/options.ts'
import type { PluginDefinition } from '../../plugin/plugin.ts'

/** The most that CoreDNS takes. */
const MOST = 1024

export const definition: PluginDefinition = {
  name: 'multisocket',
  setup(directive, { block }) {
    block.sockets = directive.integer({ name: 'number', min: 1, max: MOST, default: availableParallelism() })
    readOptions(directive)
    return { name: 'multisocket' }
  },
}
