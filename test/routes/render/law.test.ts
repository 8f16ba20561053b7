/** The law of rules that follow: changes, one after the other, leave in a kernel what loading the whole leaves. */
import fc from 'fast-check'
import t from 'tap'
import { IptablesRules } from '../../../src/routes/render/iptables.ts'
import { jumps } from '../../../src/routes/render/iptables-frame.ts'
import { NftablesRules } from '../../../src/routes/render/nftables.ts'
import { destinationsOf, type Rules } from '../../../src/routes/render/rules.ts'
import type { RenderOptions } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import type { Family } from '../../../src/wire/address.ts'
import { cluster } from '../../helpers/cluster.ts'
import { IptablesKernel } from '../../helpers/iptables-kernel.ts'
import { NftKernel } from '../../helpers/nft-kernel.ts'
import { step, take } from '../../helpers/route-changes.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 0xffffffff)

const nodes: readonly RenderOptions['node'][] = [
  { name: 'n1', zone: 'z1', internalIPs: ['192.0.2.7', 'fd00:77::10'] },
  { name: 'n1', zone: 'z2', internalIPs: [] },
  { name: 'n2', zone: 'z1', internalIPs: ['192.168.77.10'] },
]

interface Subject {
  make(family: Family): Rules
  kernel(): { load(text: string): void; contents(): unknown }
  whole(rules: Rules): string
}

const subjects: Readonly<Record<string, Subject>> = {
  iptables: {
    make: family => new IptablesRules(family),
    kernel() {
      const kernel = new IptablesKernel()
      return { load: text => kernel.restore(text), contents: () => kernel.contents() }
    },
    whole: rules => (rules as IptablesRules).whole(jumps),
  },
  nftables: { make: family => new NftablesRules(family), kernel: () => new NftKernel(), whole: rules => rules.whole() },
}

const move = fc.record({
  steps: fc.array(step, { maxLength: 4 }),
  node: fc.constantFrom(nodes[0]!, nodes[0]!, nodes[0]!, ...nodes),
  // Whether the kernel takes it; if not, the next change has this one in it.
  taken: fc.nat(3).map(n => n > 0),
})

for (const [name, { make, kernel, whole }] of Object.entries(subjects)) {
  for (const family of ['IPv4', 'IPv6'] as const) {
    t.test(`${name} ${family}: changes leave what the whole leaves`, async t => {
      t.comment(`seed ${seed}`)
      const law = fc.property(fc.array(move, { minLength: 1, maxLength: 15 }), moves => {
        const state = cluster()
        const table = new RouteTable()
        state.follow(table)
        const options = (node: RenderOptions['node']) => ({ family, node, clusterCIDRs: ['10.0.0.0/16', 'fd00::/16'] })
        const followed = make(family)
        followed.update([], options(nodes[0]!))
        const changed = kernel()
        changed.load(whole(followed))
        followed.settle()
        for (const { steps, node, taken } of moves) {
          for (const each of steps) take(state, each)
          const destinations = destinationsOf(table, family)
          followed.update(destinations, options(node))
          if (!taken) continue
          changed.load(followed.change())
          followed.settle()
          const fresh = make(family)
          fresh.update(destinations, options(node))
          const loaded = kernel()
          loaded.load(whole(fresh))
          const [expected, found] = [loaded, changed].map(kernel => JSON.stringify(kernel.contents()))
          if (found !== expected) throw new Error(`after changes:\n${found}\nloaded:\n${expected}`)
          if (followed.change() !== '') throw new Error(`what was taken is still to change: ${followed.change()}`)
        }
      })
      t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 200 }))
    })
  }
}
