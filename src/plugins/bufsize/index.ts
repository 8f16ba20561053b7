/** `bufsize`: lowers the EDNS size that clients advertise, for all plugins behind it and for the response. */
import { readOptions } from '../../corefile/options.ts'
import { then } from '../../plugin/chain.ts'
import type { Next, PluginDefinition, Reply } from '../../plugin/plugin.ts'
import type { Query } from '../../wire/query.ts'

/** What avoids fragments on nearly all paths (DNS flag day 2020). */
const DEFAULT_SIZE = 1232

export const definition: PluginDefinition = {
  name: 'bufsize',
  setup(directive) {
    const size = directive.integer({ name: 'size', min: 512, max: 4096, default: DEFAULT_SIZE })
    readOptions(directive)
    return {
      name: 'bufsize',
      footprint: { declare: cut => cut.limit(size) },
      handle: (query, next) => lowered(query, next, size),
    }
  },
}

function lowered(query: Query, next: Next, size: number): Reply | Promise<Reply> {
  const { edns } = query
  if (edns === undefined || edns.size <= size) return next(query)
  return then(next(query.with({ edns: { ...edns, size } })), query, (_query, reply) => ({ ...reply, size }))
}
