/** What the tests of the cache share: an upstream behind it that does as it is told. */
import type { Next, Reply } from '../../../src/plugin/plugin.ts'
import { definition } from '../../../src/plugins/cache/index.ts'
import { type Answer, bare } from '../../../src/wire/answer.ts'
import type { Query } from '../../../src/wire/query.ts'
import { Bit, Rcode } from '../../../src/wire/types.ts'
import { answerTo, shown, type Texts } from '../../helpers/answer.ts'
import { type Asking, type BenchOptions, pluginBench, queryFor } from '../../helpers/plugin.ts'

/** The header of an upstream's reply. */
export const relayed = (bits = 0, rcode = 0) => ({ rcode, bits: Bit.RD | Bit.RA | bits, copied: 0 })

/** A cache before an upstream whose next answer the test sets, and which counts how often it was asked. */
export function cacheBench(text: string, options: BenchOptions = {}) {
  const bench = pluginBench(definition, text, options)
  const asked: Query[] = []
  const state = {
    ...bench,
    asked,
    upstream: (_query: Query): Answer | Promise<Answer> => bare(Rcode.SERVFAIL),
    gives(texts: Texts, header = relayed()) {
      state.upstream = query => answerTo(query, texts, header)
    },
    next: (async query => {
      asked.push(query)
      return { answer: await state.upstream(query), plugin: 'upstream' }
    }) as Next,
    reply: async (name: string, type = 'A', asking: Asking = {}): Promise<Reply> =>
      bench.plugin.handle(queryFor(name, type, asking), state.next),
    async ask(name: string, type = 'A', asking: Asking = {}): Promise<string[]> {
      return shown((await state.reply(name, type, asking)).answer, queryFor(name, type))
    },
  }
  return state
}

/** Lets replies that nobody waits for arrive. */
export const settle = () => new Promise(resolve => setImmediate(resolve))
