/**
 * `cache`: keeps replies and answers from them until they expire. What a reply is worth is judged in `verdict.ts`, who is told
 * what of an entry in `entry.ts`. Names of a cluster are not kept: where a later plugin answers with what is always current, the
 * query passes.
 */
import type { PluginDefinition } from '../../plugin/plugin.ts'
import { Cache } from './cache.ts'
import { readCacheOptions } from './options.ts'

export const definition: PluginDefinition = {
  name: 'cache',
  setup: (directive, context) => new Cache(readCacheOptions(directive, context.block.origins), context),
}
