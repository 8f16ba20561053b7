/** The real kube-proxy in this network namespace, and what it has programmed. */
import { type Background, startBackground } from '../background.ts'
import { run } from './namespace.ts'

export interface KubeProxyOptions {
  readonly path: string
  readonly kubeconfig: string
  readonly node: string
  readonly flags: readonly string[]
  readonly log: string
}

/** Starts it in this namespace, whose rules are emptied before. */
export function startKubeProxy({ path, kubeconfig, node, flags, log }: KubeProxyOptions): Background {
  for (const tool of ['iptables', 'ip6tables']) {
    for (const table of ['filter', 'nat', 'mangle']) for (const what of ['-F', '-X']) run(tool, ['-t', table, what])
  }
  return startBackground(
    path,
    [
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${node}`,
      '--proxy-mode=iptables',
      // Zeros leave the kernel's values: they cannot be changed outside the first namespace.
      '--conntrack-max-per-core=0',
      '--conntrack-min=0',
      '--conntrack-tcp-timeout-established=0',
      '--conntrack-tcp-timeout-close-wait=0',
      '--metrics-bind-address=127.0.0.1:10249',
      '--oom-score-adj=0',
      // How long it collects changes before it programs them.
      '--iptables-min-sync-period=100ms',
      ...flags,
    ],
    log,
  )
}
