/** The real kube-proxy in this network namespace, and what it says of itself. */
import { type Background, startBackground } from '../background.ts'
import { nodes } from './plan.ts'
import { flagsOf, type Variant } from './variants.ts'

export interface KubeProxyOptions {
  readonly path: string
  readonly kubeconfig: string
  readonly mode: 'iptables' | 'nftables'
  readonly variant: Variant
  readonly log: string
}

const metricsAddress = '127.0.0.1:10249'

/** Starts it in this namespace, whose rules shall have been emptied. */
export function startKubeProxy({ path, kubeconfig, mode, variant, log }: KubeProxyOptions): Background {
  return startBackground(
    path,
    [
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${nodes.own}`,
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
  const text = await metricsText()
  const done = text?.match(/^kubeproxy_sync_proxy_rules_last_timestamp_seconds(\{[^}]*\})? [1-9].*$/gm) ?? []
  return done.length === 2
}

/** Undefined while it does not listen yet. */
export async function metricsText(): Promise<string | undefined> {
  const reply = await fetch(`http://${metricsAddress}/metrics`).catch(() => undefined)
  return reply?.ok ? reply.text() : undefined
}
