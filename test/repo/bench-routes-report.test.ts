/** What `npm run bench:routes` makes of its figures: targets, and a page. */
import t from 'tap'
import type { Figures } from '../bench/routes/forms.ts'
import { type Report, reportText, targetsOf } from '../bench/routes/report.ts'

const memory = { residentMb: 100, peakMb: 120 }

function figures(name: Figures['name'], loadMs: number, p50Ms: number): Figures {
  const followed = (['replaced', 'added', 'removed'] as const).map(kind => {
    return { kind, count: 3, p50Ms, p99Ms: 2 * p50Ms, maxMs: 3 * p50Ms }
  })
  return { name, readyMs: 2 * loadMs, loadMs, followed, memory: { loaded: memory, changed: memory } }
}

const table = { services: 10_000, routes: 12_000, endpoints: 100_000, builtMs: 900, heapMb: 40 }
const texts = { iptablesMs: 1100, nftablesMs: 600, iptablesMb: 30, nftablesMb: 9 }

const report: Report = {
  machine: { cpu: 'CPU', cores: 2, kernel: 'Linux', node: 'v26', rmemMax: 0, loadAverage: 2 },
  loadAverageAtEnd: 1,
  versions: { portolan: '0.1.0', nft: '1.0.6' },
  endpoints: 10,
  table: { ...table, ...texts },
  forms: [
    {
      form: 'nftables',
      services: 10_000,
      subjects: [figures('portolan', 2000, 30), figures('kube-proxy', 60_000, 13_000)],
    },
    { form: 'iptables', services: 3000, subjects: [figures('portolan', 2000, 30), figures('kube-proxy', 1000, 60)] },
  ],
  targets: [],
}

t.test('targets are limits, and shares of what kube-proxy takes', async t => {
  const met = new Map(targetsOf(report).map(target => [target.what, target.met]))
  t.equal(met.get('table built'), true)
  t.equal(met.get('iptables text'), false)
  t.equal(met.get("nftables: loaded from nothing, to kube-proxy's"), true)
  t.equal(met.get('nftables: one endpoint replaced, p99'), false, '60 ms')
  t.equal(met.get('nftables: one endpoint added, p99'), true)
  t.equal(met.get("nftables: one endpoint removed, p50, to kube-proxy's"), true)
  t.equal(met.get("iptables: loaded from nothing, to kube-proxy's"), false)
  t.equal(met.get("iptables: one endpoint replaced, p50, to kube-proxy's"), true)
})

t.test('without kube-proxy there are limits alone', async t => {
  const forms = report.forms.map(each => ({ ...each, subjects: each.subjects.slice(0, 1) }))
  t.same(
    targetsOf({ ...report, forms }).filter(({ what }) => what.includes('kube-proxy')),
    [],
  )
})

t.test('the page', async t => {
  const text = reportText({ ...report, targets: targetsOf(report) })
  t.match(text, 'NOTE: the machine was not idle')
  t.match(text, /^kube-proxy +120\.0 +60000 +13000 \/ 26000 \/ 39000 +3 /m)
  t.match(text, /nftables: loaded from nothing, to kube-proxy's +1\/20 +1\/30 \(2000\.0 to 60000 ms\) +met/)
})
