/** Starts `forward` as it stands in a Corefile, and asks it. */
import type { Test } from 'tap'
import type { Plugin, Reply } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/forward/index.ts'
import { bare } from '../../src/wire/answer.ts'
import type { Query } from '../../src/wire/query.ts'
import { shown } from './answer.ts'
import { type Asking, type PluginBench, pluginBench, queryFor } from './plugin.ts'
import type { TestUpstream } from './upstream.ts'

/** What the plugins behind say. */
export const elsewhere: Reply = { answer: bare(0, 0x0400), plugin: 'elsewhere' }

/** Where relative names of files start. */
export const directory = new URL('../fixtures/tls/', import.meta.url).pathname

export interface Started extends PluginBench {
  ask(name: string, type?: string, asking?: Asking): Promise<Reply>
  /** The answer as text. */
  show(name: string, type?: string, asking?: Asking): Promise<string[]>
  exposition(): Promise<string>
}

/** Several directives are several links, one after the other. */
export async function start(t: Test, ...directives: string[]): Promise<Started> {
  const plugins: Plugin[] = []
  const benches = directives.map(text => pluginBench(definition, text, { plugins, directory, random: () => 0 }))
  const bench = benches[0]!
  plugins.push(...benches.map(({ plugin }) => plugin))
  t.teardown(() => Promise.all(plugins.map(plugin => plugin.stop?.())))
  await Promise.all(plugins.map(plugin => plugin.start?.()))
  const chain = plugins.reduceRight<(query: Query) => Reply | Promise<Reply>>(
    (next, plugin) => query => plugin.handle(query, next),
    () => elsewhere,
  )
  const ask = async (...asked: Parameters<typeof queryFor>) => chain(queryFor(...asked))
  return {
    ...bench,
    ask,
    show: async (...asked) => shown((await ask(...asked)).answer, queryFor(...asked)),
    exposition: () => bench.metrics.exposition(),
  }
}

/** The servers as TO arguments. */
export function to(...servers: TestUpstream[]): string {
  return servers.map(({ port }) => `127.0.0.1:${port}`).join(' ')
}
