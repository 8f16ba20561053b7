/** `forward` for those who only want to know what it would do: it takes the same queries, and asks nobody. */
import { NOT_ASKED } from '../../client/explain/names.ts'
import { PortolanError } from '../../errors.ts'
import type { PluginDefinition, Reply } from '../../plugin/plugin.ts'
import { SERVFAIL } from '../../wire/answer.ts'
import { takes } from './forward.ts'
import { readForwardOptions } from './options.ts'

/** Its replies are failures whose error has the code `NOT_ASKED`, and says who would be asked. */
export const offline: PluginDefinition = {
  name: 'forward',
  repeatable: true,
  setup(directive, { directory }) {
    const to = directive.args.slice(1).map(({ text }) => text)
    const options = readForwardOptions(directive, directory)
    const error = new PortolanError(NOT_ASKED, `forward asks ${to.join(', ')}, which is not asked from here`)
    const reply: Reply = { answer: SERVFAIL, plugin: 'forward', error }
    return { name: 'forward', handle: (query, next) => (takes(options, query) ? reply : next(query)) }
  },
}
