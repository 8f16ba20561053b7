/** What a run of `npm run bench:routes` found out, how a person reads it, and whether it is what was wanted. */
import { spawnSync } from 'node:child_process'
import { version } from '../../../src/version.ts'
import type { Machine } from '../machine.ts'
import { grouped, table } from '../report.ts'
import type { Target } from '../targets.ts'
import type { Figures, Followed } from './forms.ts'
import type { Form } from './subjects.ts'
import type { TableFigures } from './table.ts'

export interface Report {
  /** When the measuring began. */
  readonly machine: Machine
  readonly loadAverageAtEnd: number
  /** Of each program, as it tells it. */
  readonly versions: Readonly<Record<string, string>>
  /** Of each service. */
  readonly endpoints: number
  readonly table: TableFigures & { readonly services: number }
  readonly forms: readonly { readonly form: Form; readonly services: number; readonly subjects: readonly Figures[] }[]
  readonly targets: readonly Target[]
}

/** Above this load average others use the machine too. */
const idleLoad = 0.5

export function versionsOf(kubeProxy: string): Report['versions'] {
  const says = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' }).stdout.trim()
  return {
    portolan: version,
    'kube-proxy': says(kubeProxy, '--version').replace('Kubernetes ', ''),
    nft: says('nft', '--version'),
    iptables: says('iptables', '--version'),
    node: process.version,
  }
}

export function reportText({
  machine,
  loadAverageAtEnd,
  versions,
  endpoints,
  table: made,
  forms,
  targets,
}: Report): string {
  const { cpu, cores, kernel, loadAverage } = machine
  const title = (services: number) => `${grouped(services)} services x ${endpoints} endpoints`
  return [
    `${cpu}, ${cores} cores, ${kernel}; load average ${loadAverage.toFixed(1)} before, ${loadAverageAtEnd.toFixed(1)} after`,
    Object.entries(versions)
      .map(([name, text]) => `${name} ${text}`)
      .join('; '),
    ...(loadAverage > idleLoad ? ['NOTE: the machine was not idle; ratios hold better than figures'] : []),
    '',
    `table: ${title(made.services)}, ${grouped(made.routes)} routes to ${grouped(made.endpoints)} endpoints`,
    ...table([
      ['', 'ms', 'MiB'],
      ['table built, its heap', made.builtMs.toFixed(0), made.heapMb.toFixed(0)],
      ['iptables text, its size', made.iptablesMs.toFixed(0), made.iptablesMb.toFixed(1)],
      ['nftables text, its size', made.nftablesMs.toFixed(0), made.nftablesMb.toFixed(1)],
    ]),
    ...forms.flatMap(({ form, services, subjects }) => ['', `${form}: ${title(services)}`, ...formTable(subjects)]),
    ...(targets.length > 0
      ? [
          '',
          ...table([
            ['target', 'at most', 'measured', ''],
            ...targets.map(({ what, most, measured, met }) => [what, most, measured, met ? 'met' : 'MISSED']),
          ]),
        ]
      : []),
    '',
  ].join('\n')
}

function formTable(subjects: readonly Figures[]): string[] {
  const ms = (value: number) => value.toFixed(value < 100 ? 1 : 0)
  const change = ({ count, p50Ms, p99Ms, maxMs }: Followed) => [
    `${ms(p50Ms)} / ${ms(p99Ms)} / ${ms(maxMs)}`,
    String(count),
  ]
  const [first] = subjects
  return table([
    [
      '',
      'ready s',
      'loading ms',
      ...first!.followed.flatMap(({ kind }) => [`${kind} p50/p99/max ms`, 'of']),
      'MiB loaded',
      'changed',
      'peak',
    ],
    ...subjects.map(({ name, readyMs, loadMs, followed, memory: { loaded, changed } }) => [
      name,
      (readyMs / 1000).toFixed(1),
      ms(loadMs),
      ...followed.flatMap(change),
      loaded.residentMb.toFixed(0),
      changed.residentMb.toFixed(0),
      changed.peakMb.toFixed(0),
    ]),
  ])
}

export function targetsOf({ table: made, forms }: Report): Target[] {
  const targets = [below('table built', made.builtMs, 1000), below('iptables text', made.iptablesMs, 1000)]
  for (const { form, subjects } of forms) {
    const [own, peer] = (['portolan', 'kube-proxy'] as const).map(name => subjects.find(each => each.name === name))
    if (own === undefined) continue
    const share = (what: string, figure: (of: Figures) => number, most: number): Target[] =>
      peer === undefined ? [] : [ratio(`${form}: ${what}, to kube-proxy's`, figure(own), figure(peer), most)]
    if (form === 'nftables') targets.push(below('nftables: loaded from nothing', own.loadMs, 3000))
    targets.push(...share('loaded from nothing', ({ loadMs }) => loadMs, form === 'nftables' ? 1 / 20 : 1))
    for (const { kind, p99Ms } of own.followed) {
      const middle = ({ followed }: Figures) => followed.find(each => each.kind === kind)!.p50Ms
      if (form === 'nftables')
        targets.push(below(`nftables: one endpoint ${kind}, p99`, p99Ms, kind === 'replaced' ? 50 : 100))
      targets.push(...share(`one endpoint ${kind}, p50`, middle, form === 'nftables' ? 1 / 50 : 1))
    }
  }
  return targets
}

function below(what: string, value: number, most: number): Target {
  return { what, most: `${most} ms`, measured: `${value.toFixed(0)} ms`, met: value <= most }
}

function ratio(what: string, own: number, other: number, most: number): Target {
  const value = own / other
  const written = (share: number) => (most < 1 ? `1/${(1 / share).toFixed(0)}` : share.toFixed(2))
  const measured = `${written(value)} (${own.toFixed(1)} to ${other.toFixed(0)} ms)`
  return { what, most: written(most), measured, met: value <= most }
}
