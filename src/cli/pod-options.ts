/** What commands are told of a pod's side of a cluster, which no object says. */
import type { Said } from '../routes/facts/question.ts'
import type { Arguments, Options } from './arguments.ts'
import { fileText } from './file-text.ts'

export const podOptions: Options = {
  libc: { value: 'NAME', help: "the pod's C library: glibc, musl, glibc-2.25 or musl-1.2.3 (glibc)" },
  'cluster-dns': { value: 'IP[,IP]', help: "the kubelet's clusterDNS (the address of the service kube-dns)" },
  'cluster-domain': { value: 'NAME', help: "the kubelet's clusterDomain (the first zone of the Corefile)" },
  'resolv-conf': { value: 'FILE', help: "a copy of the resolv.conf of the pod's node" },
  'cluster-cidr': { value: 'CIDR[,CIDR]', help: "where pods have addresses: kube-proxy's flag, as are the next two" },
  'masquerade-all': { help: 'all that goes to cluster addresses gets the source of the node' },
  'nodeport-addresses': { value: 'CIDR[,CIDR]', help: "at which of the node's addresses node ports are (all)" },
}

/** The options as whoever answers takes them, which may be a server: a file goes there as its content, `node-resolv-conf`. */
export function saidBy(given: Arguments): Said {
  const file = given.text('resolv-conf')
  const content = file === undefined ? undefined : fileText(file, 'PORTOLAN_EXPLAIN_FILE')
  return {
    has: (name: string) => (name === 'node-resolv-conf' ? content !== undefined : given.has(name)),
    text: (name: string) => (name === 'node-resolv-conf' ? content : given.text(name)),
  }
}
