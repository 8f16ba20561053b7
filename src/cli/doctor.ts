/** `portolan doctor`: looks at everything between a pod and a name in the order of runbooks, and tells the first cause of what is wrong. */
import type { Command } from './command.ts'
import { Exit } from './command.ts'
import { podOptions } from './pod-options.ts'
import { show } from './routes-output.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'finds the first cause of names that do not work',
  synopsis: '[-from NAMESPACE/POD] [NAME[:PORT]]',
  words: 1,
  options: {
    from: { value: 'NAMESPACE/POD', help: 'the pod that asks' },
    manifests: { value: 'PATH', help: 'the cluster that a folder, or a file, of manifests makes' },
    kubeconfig: { value: 'FILE', help: 'the cluster that it leads to ($KUBECONFIG, ~/.kube/config)' },
    context: { value: 'NAME', help: 'of the kubeconfig (its current one)' },
    node: {
      value: 'NAME',
      help: 'the node that this machine is (the one that has its address), or that -rules are of',
    },
    queries: { value: 'WHEN', help: 'auto, always or never: whether servers are asked (auto: on nodes and in pods)' },
    'outside-name': { value: 'NAME', help: 'a name that another server knows, or none (kubernetes.io)' },
    conf: {
      value: 'FILE',
      help: "the Corefile of the cluster's DNS server (the one of ConfigMap kube-system/coredns)",
    },
    rules: { value: 'FILE[,FILE]', help: 'what iptables-save, ip6tables-save or `nft -j list ruleset` wrote on -node' },
    proc: { value: 'FOLDER', help: "a copy of a node's /proc/net/stat/nf_conntrack and /proc/sys/net/netfilter" },
    ...podOptions,
    output: { value: 'FORM', alias: ['o'], help: 'table, json or yaml (table)' },
  },
  notes: `Nothing is changed anywhere. On a node or in a pod it asks the DNS pods, their virtual address and the endpoints of NAME; elsewhere, and with
-manifests, it says what it skipped. The rules of a node can be read by root alone.
The exit code is 0 where no fault was found, 1 where one was, and 2 for a command line that makes no sense.`,
  async run(given, shell) {
    // They bring the whole server along, which other commands need not wait for.
    const { worldOf } = await import('./doctor-world.ts')
    const { diagnose } = await import('../client/doctor/diagnosis.ts')
    const { diagnosisText } = await import('../client/doctor/text.ts')
    const diagnosis = await diagnose(await worldOf(given, shell))
    show(given, shell, diagnosis, () => diagnosisText(diagnosis))
    return diagnosis.healthy ? Exit.done : Exit.failed
  },
}
