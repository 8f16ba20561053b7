/** What `portolan check --live` adds: the plugins try what they need of the outside, without serving. */
import { messageOf, PortolanError } from '../errors.ts'
import type { Block, Fixture, Plugin, Probed } from '../plugin/plugin.ts'
import { textFromKey } from '../wire/name.ts'

/** Has every plugin that can try; tells the lines of each as soon as they are there. Resolves to whether all is well. */
export async function liveCheck(blocks: readonly Pick<Block, 'origins' | 'plugins'>[], out: (text: string) => void) {
  let allWell = true
  let tried = 0
  for (const { origins, plugins } of blocks) {
    for (const plugin of plugins) {
      if (plugin.probe === undefined) continue
      const { ok, lines } = await probed(plugin.probe.bind(plugin))
      out(`${titleOf(plugin, origins)}: ${lines.join('\n  ')}\n`)
      allWell &&= ok
      tried++
    }
  }
  if (tried === 0) out('nothing to try: no plugin needs an API server\n')
  return allWell
}

function titleOf({ name }: Plugin | Fixture, origins: Block['origins']): string {
  return `${name} (${origins.map(textFromKey).join(' ')})`
}

async function probed(probe: () => Promise<Probed>): Promise<Probed> {
  try {
    return await probe()
  } catch (error) {
    if (!(error instanceof PortolanError)) throw error
    return { ok: false, lines: [messageOf(error)] }
  }
}
