/** The real kube-proxy in this network namespace, and what it says of itself. */
import { type Background, startBackground } from '../background.ts'
import { nodes } from './plan.ts'
import { flagsOf, type Variant } from './variants.ts'

export interface KubeProxyOptions {
  readonly path: string
  readonly kubeconfig: string
  readonly mode: 'iptables' | 'nftables'
  readonly variant: Variant
  /** The node's name; the usual one unless given. */
  readonly node?: string
  readonly log: string
}

const metricsAddress = '127.0.0.1:10249'

/** Starts it in this namespace, whose rules shall have been emptied. */
export function startKubeProxy({
  path,
  kubeconfig,
  mode,
  variant,
  node = nodes.own,
  log,
}: KubeProxyOptions): Background {
  return startBackground(
    path,
    [
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${node}`,
      `--proxy-mode=${mode}`,
      // Zeros leave the kernel's values: they cannot be changed outside the first namespace.
      '--conntrack-max-per-core=0',
      '--conntrack-min=0',
      '--conntrack-tcp-timeout-established=0',
      '--conntrack-tcp-timeout-close-wait=0',
      `--metrics-bind-address=${metricsAddress}`,
      '--oom-score-adj=0',
      // How long it collects changes before it programs them.
      '--iptables-min-sync-period=100ms',
      ...flagsOf(variant),
    ],
    log,
  )
}

/** Whether it has programmed both families, which it first does when it knows the whole cluster. */
export async function synced(): Promise<boolean> {
  return (await gauges('sync_proxy_rules_last_timestamp_seconds')).filter(at => at > 0).length === 2
}

/** The values of one of its metrics, most often one for each family; none while it does not tell any. */
export async function gauges(name: string): Promise<number[]> {
  const reply = await fetch(`http://${metricsAddress}/metrics`).catch(() => undefined)
  const text = reply?.ok ? await reply.text() : ''
  return Array.from(text.matchAll(new RegExp(`^kubeproxy_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')), ([, value]) =>
    Number(value),
  )
}
