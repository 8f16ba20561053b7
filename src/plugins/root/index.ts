/**
 * `root`: the folder that relative paths of the server block's other plugins start from.
 */
import { stat } from 'node:fs/promises'
import { readOptions } from '../../corefile/options.ts'
import type { PluginDefinition } from '../../plugin/plugin.ts'

export const definition: PluginDefinition = {
  name: 'root',
  setup(directive, { block, log }) {
    const path = directive.path(block.directory, { name: 'path' })
    readOptions(directive)
    block.directory = path
    return {
      name: 'root',
      async start() {
        const found = await stat(path).catch((error: NodeJS.ErrnoException) => error)
        if (!(found instanceof Error)) return
        if (found.code !== 'ENOENT') throw directive.error(`cannot access ${path}: ${found.message}`, undefined, found)
        // It may appear later: a volume that is not mounted yet.
        log.warning(`Root path does not exist: ${path}`)
      },
    }
  },
}
