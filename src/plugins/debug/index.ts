/**
 * `debug`: has debug lines written while the server block is served.
 */
import { readOptions } from '../../corefile/options.ts'
import type { PluginDefinition } from '../../plugin/plugin.ts'

export const definition: PluginDefinition = {
  name: 'debug',
  repeatable: true,
  setup(directive, { log }) {
    readOptions(directive)
    let turnDown: (() => void) | undefined
    return {
      name: 'debug',
      async start() {
        turnDown = log.turnUp()
      },
      async stop() {
        turnDown?.()
      },
    }
  },
}
