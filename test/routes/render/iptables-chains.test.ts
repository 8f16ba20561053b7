/** Many chains are loaded in several transactions, none of which leads to a chain that is not there yet. */
import t from 'tap'
import { type ChainRules, restoreText } from '../../../src/routes/render/iptables-chains.ts'

/** So many services with one endpoint each, as a table would have them. */
function chains(services: number): [string, ChainRules][] {
  const names = Array.from({ length: services }, (_, i) => `${i}`)
  return [
    ['nat KUBE-SERVICES', names.map(name => `-d 10.0.0.1 -j KUBE-SVC-${name}`)],
    ['nat KUBE-MARK-MASQ', ['-j MARK --or-mark 0x4000']],
    ...names.flatMap((name): [string, ChainRules][] => [
      [`nat KUBE-SVC-${name}`, [`-j KUBE-SEP-${name}`]],
      [`nat KUBE-EXT-${name}`, ['-j KUBE-MARK-MASQ', `-j KUBE-SVC-${name}`]],
      [`nat KUBE-SEP-${name}`, ['-j KUBE-MARK-MASQ', '-j DNAT']],
    ]),
  ]
}

function transactions(text: string): string[][] {
  return text
    .split('COMMIT\n')
    .filter(part => part !== '')
    .map(part => part.trimEnd().split('\n'))
}

t.test('few chains', async t => {
  t.equal(transactions(restoreText(chains(50), {})).length, 1)
})

t.test('many chains', async t => {
  const all = chains(400)
  const text = restoreText([...all, ['nat KUBE-SVC-OLD', undefined]], { nat: ['-A PREROUTING -j KUBE-SERVICES'] })
  const parts = transactions(text)
  t.equal(parts.length, Math.ceil(1201 / 300) + 1)
  t.same(
    text.match(/^-A KUBE.*/gm)!.sort(),
    all.flatMap(([key, rules]) => rules.map(rule => `-A ${key.replace('nat ', '')} ${rule}`)).sort(),
    'all rules, once',
  )
  const known = new Set(['DNAT', 'MARK'])
  for (const lines of parts) {
    t.equal(lines[0], '*nat')
    for (const line of lines) if (line.startsWith(':')) known.add(line.slice(1).split(' ')[0]!)
    for (const line of lines) {
      const target = /-j (\S+)/.exec(line)?.[1]
      if (target !== undefined && !known.has(target)) t.fail(`${line} leads nowhere`)
    }
  }
  t.ok(parts.at(-1)!.includes('-A PREROUTING -j KUBE-SERVICES'), 'the way in comes last')
  t.equal(parts.at(-1)!.at(-1), '-X KUBE-SVC-OLD')
})
