/**
 * `portolan routes diff` in a network namespace: rules of the real kube-proxy are as they should be, in both modes and with each set of
 * flags; and where rules are damaged, kube-proxy's and ours, it says so and names the service.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readArguments } from '../../../src/cli/arguments.ts'
import { routes } from '../../../src/cli/routes.ts'
import { readCluster } from '../../../src/cli/routes-cluster.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import type { KnownCluster } from '../../../src/routes/facts/cluster.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { run as portolan, testShell } from '../../helpers/shell.ts'
import { type ControlPlane, startControlPlane } from '../control-plane.ts'
import type { Peers } from '../peers.ts'
import { createFrame } from './compare.ts'
import { type Check, damageIptables, damageNftables, type Subject } from './damage.ts'
import { everyField } from './every-field.ts'
import { startKubeProxy } from './kube-proxy.ts'
import { run } from './namespace.ts'
import { nodes } from './plan.ts'
import { flagsOf, usual, type Variant, variants } from './variants.ts'

const modes = ['iptables', 'nftables'] as const
const families = ['IPv4', 'IPv6'] as const
type Mode = (typeof modes)[number]

/** How soon kube-proxy must have what it was told. */
const patienceMs = 30_000

/** `check` is told of each case. */
export async function checkDiff(peers: Peers<'etcd' | 'apiserver' | 'kubeProxy'>, check: Check): Promise<void> {
  await using plane = await startControlPlane(peers)
  await createFrame(plane)
  for (const object of everyField().objects) await plane.client.create(object)
  const given = readArguments(['-kubeconfig', plane.kubeconfig, '-node', nodes.own], routes.options)
  const cluster = await readCluster(given, testShell({ clock: systemClock }).shell, false)
  for (const mode of modes) {
    for (const variant of variants) await checkKubeProxy(plane, peers.kubeProxy, mode, variant, check)
    // Those that the last kube-proxy has left are of other flags.
    await checkKubeProxy(plane, peers.kubeProxy, mode, usual, check)
    const damage = mode === 'iptables' ? damageIptables : damageNftables
    await damage(`diff: kube-proxy's ${mode},`, subjectOf(cluster), check)
    loadOurs(mode, subjectOf(cluster))
    await damage(`diff: our ${mode},`, subjectOf(cluster), check)
  }
  emptyRules()
}

function subjectOf({ table, state }: KnownCluster): Subject {
  return { routes: table, options: { node: state.get('Node', nodes.own)!, ...usual } }
}

function loadOurs(mode: Mode, { routes, options }: Subject): void {
  emptyRules()
  for (const family of families) {
    const tool = family === 'IPv4' ? 'iptables-restore' : 'ip6tables-restore'
    if (mode === 'nftables') run('nft', ['-f', '-'], renderNftables(routes, { ...options, family }))
    else run(tool, ['--noflush'], renderIptables(routes, { ...options, family }))
  }
}

function emptyRules(): void {
  run('nft', ['flush', 'ruleset'])
}

/** The whole command, with the cluster from the API server and the rules from the kernel; the rules stay. */
async function checkKubeProxy(
  plane: ControlPlane,
  path: string,
  mode: Mode,
  variant: Variant,
  check: Check,
): Promise<void> {
  emptyRules()
  const log = join(plane.folder, `kube-proxy-diff-${mode}-${variant.name.replaceAll(' ', '-')}.log`)
  await using _proxy = startKubeProxy({ path, kubeconfig: plane.kubeconfig, mode, variant, log })
  const flags = ['-kubeconfig', plane.kubeconfig, '-node', nodes.own, ...flagsOf(variant), '-o', 'json']
  const deadline = performance.now() + patienceMs
  for (;;) {
    const { code, out, err } = await portolan(['routes', 'diff', mode, ...flags], { clock: systemClock })
    const { differences = [], notes = [], compared = [] } = out === '' ? {} : JSON.parse(out)
    const isEqual = code === 0 && notes.length === 0 && compared.length === families.length
    if (isEqual || performance.now() > deadline) {
      const told = JSON.stringify([...differences, ...notes].slice(0, 5))
      check(`diff: kube-proxy's ${mode}, ${variant.name}`, isEqual ? undefined : `code ${code}: ${err}${told}`)
      return
    }
    await sleep(200)
  }
}
