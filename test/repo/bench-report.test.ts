/** What `npm run bench` makes of its figures: medians, targets, tables, bars, and the zones that other servers are given. */
import t from 'tap'
import { chart } from '../bench/chart.ts'
import { clusterOf, objectsOf, probesOf } from '../bench/data.ts'
import { type Latency, type Result, resultOf } from '../bench/measure.ts'
import { panelsOf } from '../bench/panels.ts'
import type { ServerName } from '../bench/programs.ts'
import { foreignReverseQuestions, mixedQuestions } from '../bench/questions.ts'
import { type ClusterReport, type Report, reportText, type SettledMemory, table } from '../bench/report.ts'
import { median, medians, quantile } from '../bench/statistics.ts'
import { targetsOf } from '../bench/targets.ts'
import { zoneRecords, zonesOf } from '../bench/zone.ts'

t.test('quantiles and medians are values that were measured', async t => {
  const hundred = Array.from({ length: 100 }, (_, n) => n + 1)
  t.same(
    [0.5, 0.99, 0.999, 1].map(q => quantile(hundred, q)),
    [50, 99, 100, 100],
  )
  t.equal(quantile([7], 0.01), 7)
  t.ok(Number.isNaN(quantile([], 0.5)))
  t.equal(median([9, 1, 5, 3]), 3)
  t.same(
    medians([
      { a: 1, b: 30 },
      { a: 3, b: 10 },
      { a: 2, b: 20 },
    ]),
    { a: 2, b: 20 },
  )
})

const latency = (rate: number, p99Ms: number, lost = 0): Latency => ({
  rate,
  p50Ms: 0.1,
  p99Ms,
  p999Ms: p99Ms * 2,
  lost,
  dropped: lost > 0 ? 12 : 0,
})

function speed(server: ServerName, which: string, ...cpuPerQuery: readonly number[]): Result {
  const rounds = cpuPerQuery.map(cpu => ({
    speed: { cpuPerQuery: cpu, perSecond: 1e6 / cpu, lost: 0 },
    latency: [latency(10_000, cpu), latency(20_000, cpu)],
    codes: { NOERROR: 10 },
  }))
  return resultOf(server, which, rounds)
}

const busy = (server: ServerName, p99Ms: number, lost: number): Result =>
  resultOf(server, 'churn', [{ latency: [latency(20_000, p99Ms, lost)], codes: {} }])

const memory = (server: ServerName, start: number, load: number): SettledMemory => ({
  server,
  seconds: 60,
  afterStart: { residentMb: start, peakMb: start },
  afterLoad: { residentMb: load, peakMb: load + 20 },
})

const cluster: ClusterReport = {
  size: { services: 10_000, endpoints: 10 },
  source: 'kube-apiserver',
  results: [
    speed('bare', 'mix', 2.5, 2, 9),
    speed('portolan', 'mix', 3, 9, 2),
    speed('coredns', 'mix', 30, 40, 31),
    speed('portolan', 'nxdomain', 3.6),
    busy('portolan', 2, 0.001),
    busy('coredns', 20, 0),
  ],
  memory: [memory('bare', 1, 1), memory('portolan', 150, 180), memory('coredns', 160, 200)],
  startups: [{ server: 'portolan', readySeconds: 1.5, rounds: [1.5], peakMb: 120, residentMb: 110 }],
  programming: [{ server: 'portolan', cached: true, patches: 200, p50Ms: 0.3, p99Ms: 6, maxMs: 7 }],
}

const report: Report = {
  load: 'dnsperf',
  rounds: 3,
  seconds: 3,
  machine: { cpu: 'a <CPU>', cores: 2, kernel: 'Linux', node: 'v26', rmemMax: 212_992, loadAverage: 0.1 },
  loadAverageAtEnd: 1.5,
  programs: (['bare', 'portolan', 'coredns'] as const).map(name => ({ name, title: name, version: '1' })),
  clusters: [cluster],
  targets: targetsOf(cluster),
  notes: ['something to know'],
}

t.test('targets are told of what was measured, and of nothing else', async t => {
  t.same(
    report.targets.map(({ what, most, measured, met }) => [what, most, measured, met]),
    [
      ['CPU per query: mix, to bare', '1.3 x', '1.20 x (3.00 to 2.50)', true],
      ['CPU per query: mix, to coredns', '1/12', '1/10.3 (3.00 to 31.00)', false],
      ['CPU per query: nxdomain, to mix', '1.1 x', '1.20 x (3.60 to 3.00)', false],
      ['p99 at 20000/s: churn, to coredns', '1/5', '1/10.0 (2.00 to 20.00)', true],
      ['lost at 20000/s: churn', '0 %', '0.10 % (12 dropped in its sockets)', false],
      ['p99 from a patch to its answer, with cache 30', '5 ms', '6.00 ms', false],
      ['memory, settled after start', '170 MiB', '150.00 MiB', true],
      ['memory, settled after start, to coredns', '1.0 x', '0.94 x (150.00 to 160.00)', true],
      ['memory, settled after load', '170 MiB', '180.00 MiB', false],
      ['memory, settled after load, to coredns', '1.0 x', '0.90 x (180.00 to 200.00)', true],
      ['ready after start', '2 s', '1.50 s', true],
    ],
  )
  const nothing = { ...cluster, results: [], memory: [], startups: [], programming: [] }
  t.same(targetsOf(nothing), [])
})

t.test('the report has the machine, each server and each target', async t => {
  const text = reportText(report)
  for (const part of [
    'rmem_max 212992',
    'NOTE: something to know',
    '10,000 services x 10 endpoints, from kube-apiserver',
  ])
    t.match(text, part)
  t.match(text, /^portolan +3\.00 +1\.20 +- +0\.10 +333,333 +0\.0 %/m)
  t.match(text, /^coredns +31\.00 +12\.40 +- +1\.00/m)
  t.match(text, /^CPU per query: mix, to bare .* met$/m)
  t.match(text, /^lost at 20000\/s: churn .* MISSED$/m)
  t.notMatch(text, /NaN|undefined/)
})

t.test('columns of numbers end together', async t => {
  t.same(
    table([
      ['', 'n', 'word'],
      ['a', '1', 'x'],
      ['bcd', '20', 'yz'],
    ]),
    ['      n  word', 'a     1  x', 'bcd  20  yz'],
  )
})

t.test('the chart draws every server of a figure, ours apart, and is XML', async t => {
  const panels = panelsOf(report)
  t.same(
    panels.map(({ title, bars }) => [title.split(':')[0], bars.map(({ label, value }) => `${label} ${value}`)]),
    [
      ['CPU time per query', ['bare C answerer 2.5', 'portolan 3', 'CoreDNS 31']],
      ['99 % are answered within, at 20,000 queries/s while 50 endpoints/s change', ['portolan 2', 'CoreDNS 20']],
      ['Memory after load', ['portolan 180', 'CoreDNS 200']],
    ],
  )
  const svg = chart(panels, report.machine.cpu)
  t.match(svg, 'a &lt;CPU&gt;')
  t.match(svg, 'prefers-color-scheme: dark')
  t.equal(svg.match(/class="ours"/g)?.length, 3)
  t.equal(svg.match(/class="bar"/g)?.length, 4)
  t.notMatch(svg, /NaN|undefined/)
})

t.test('the data set is the same each time, and its zones hold what is asked', async t => {
  const size = { services: 400, endpoints: 10 }
  const entries = clusterOf(size)
  t.same(objectsOf(entries), objectsOf(clusterOf(size)))
  const share = (kind: string) => entries.filter(entry => entry.kind === kind).length / entries.length
  t.ok(share('ClusterIP') > 0.6 && share('ClusterIP') < 0.8)
  t.ok(share('headless') > 0.1 && share('headless') < 0.2)

  const records = zoneRecords(entries)
  const [probe, headless] = probesOf(entries)
  const addresses = (name: string) => (records.get(name) ?? []).filter(([type]) => type === 'A').map(([, data]) => data)
  t.same(addresses(probe!.name), probe!.addresses)
  t.same(addresses(headless!.name), headless!.addresses)
  t.ok(headless!.addresses.length < size.endpoints, 'those that are not ready are left out')

  const questions = mixedQuestions(entries)
  t.same(questions, mixedQuestions(entries))
  const missing = questions.filter(question => !records.has(question.split(' ')[0]!))
  t.ok(missing.length > 0)
  t.same(
    missing.filter(question => !question.includes('.default.svc.cluster.local A')),
    [],
    'only search paths miss',
  )
  const lines = zonesOf(records).reduce((sum, { text }) => sum + text.trim().split('\n').length, 0)
  t.equal(lines, Array.from(records.values()).flat().length + 5, 'every record is in one of the zones')
})

t.test('each run has reverse names of its own', async t => {
  const [one, other] = [foreignReverseQuestions(1, 50), foreignReverseQuestions(2, 50)]
  t.equal(new Set([...one, ...other]).size, 100)
  t.match(one[0], /^\d+\.\d+\.\d+\.1\d\.in-addr\.arpa PTR$/)
})
