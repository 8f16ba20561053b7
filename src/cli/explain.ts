/** `portolan explain`: from a name that a pod uses to the packet, and why it does not get there. */
import type { Command } from './command.ts'
import { podOptions } from './pod-options.ts'

export const explain: Command = {
  name: 'explain',
  summary: 'tells why a pod reaches a name, or why it does not',
  synopsis: '-from NAMESPACE/POD NAME[:PORT[/PROTOCOL]] | URL   or   -env NAMESPACE/POD',
  words: 1,
  options: {
    from: { value: 'NAMESPACE/POD', help: 'the pod that asks' },
    manifests: { value: 'PATH', help: 'the cluster that a folder, or a file, of manifests makes' },
    kubeconfig: { value: 'FILE', help: 'the cluster that it leads to ($KUBECONFIG, ~/.kube/config)' },
    server: { value: 'URL', help: 'the cluster of a running server with the plugin `explain`: it answers' },
    context: { value: 'NAME', help: 'of the kubeconfig (its current one)' },
    conf: { value: 'FILE', help: "the Corefile of the cluster's DNS server (as kubeadm writes it)" },
    ...podOptions,
    env: { value: 'NAMESPACE/POD', help: 'lists the variables of services that the kubelet gives this pod' },
    output: { value: 'FORM', alias: ['o'], help: 'table, json or yaml (table)' },
  },
  notes: `Nothing is sent and nothing is changed: names are answered by the plugins of the Corefile in this process, and other servers are not asked.
The exit code is 0 for what is reachable, 2 for a name that is not resolvable, 3 where there is no usable endpoint, 4 for what network
policies deny, and 1 for anything else, such as a name that only another server can know.`,
  async run(given, shell) {
    // It brings half of the program along, which other commands need not wait for.
    const { explainName, showEnvironment } = await import('./explain-run.ts')
    return given.has('env') ? showEnvironment(given, shell) : explainName(given, shell)
  },
}
