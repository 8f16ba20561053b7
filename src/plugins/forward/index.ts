/** The `forward` plugin: asks other servers for names that this one does not have. */
import type { PluginDefinition } from '../../plugin/plugin.ts'
import { Forward } from './forward.ts'
import { readForwardOptions } from './options.ts'

export const definition: PluginDefinition = {
  name: 'forward',
  repeatable: true,
  setup: (directive, context) => new Forward(readForwardOptions(directive, context.directory), context),
}
