/** Check of the Corefile in use: the table of rules over its server blocks. */
import { positionText } from '../../corefile/errors.ts'
import { type Check, type CheckName, counted, type Finding, fault, isMissing } from './check.ts'
import { corefileRules } from './corefile-rules.ts'
import type { World } from './world.ts'

/** What a server that does not start takes with it. */
const all: readonly CheckName[] = ['dns service', 'dns pods', 'direct query', 'virtual address', 'upstream']

export const corefileCheck: Check = {
  name: 'corefile',
  examine(world: World) {
    const { corefile } = world
    if (isMissing(corefile)) return corefile
    const { where, parsed } = corefile
    if (parsed instanceof Error)
      return {
        summary: '',
        findings: [fault(parsed.message, 'a server does not start with it', ['portolan check FILE'], all)],
      }
    const findings = parsed.flatMap(block =>
      corefileRules.flatMap(({ find, level, means, mend, explains = [] }) =>
        find(block, world).map(({ at, seen }): Finding => {
          const place = `${positionText(at)}: ${seen}`
          if (level === 'note') return { level, seen: `${place}: ${means}`, means: '', next: [] }
          return { level, seen: place, means, next: [`write: ${mend}`], explains }
        }),
      ),
    )
    return { summary: `${where}: ${counted(parsed.length, 'server block')}`, findings }
  },
}
