/** A small cluster that is described once, as plain API JSON, and read by both evaluators of network policies. */

import { type End, endAt, endOfPod, NetworkPolicies, type Verdict } from '../../../src/client/policy/verdict.ts'
import type { Protocol } from '../../../src/cluster/objects.ts'
import type { ClusterState } from '../../../src/cluster/state.ts'
import { cluster, namespace, node, object } from '../../helpers/cluster.ts'
import type { Host, World } from './naive.ts'

export function clusterOf({ namespaces, hosts, policies }: World): ClusterState {
  return cluster(
    ...Object.entries(namespaces).map(([name, labels]) => namespace(name, labels)),
    ...policies.map(({ namespace, name, spec }) => object('NetworkPolicy', `${namespace}/${name}`, { spec })),
    ...hosts.filter(({ namespace }) => namespace !== undefined).map(podOf),
    ...hosts.flatMap(({ namespace, node: name, ip }) => (namespace === undefined && name ? node(name, [ip]) : [])),
  )
}

function podOf({ namespace, name, ip, labels, node, hostNetwork, ports }: Host) {
  return object('Pod', `${namespace}/${name}`, {
    metadata: { labels },
    spec: { nodeName: node, hostNetwork, containers: [{ name: 'main', ports }] },
    status: { phase: 'Running', podIPs: [{ ip }] },
  })
}

/** What the real evaluator says of a connection. */
export function judge(state: ClusterState, from: Host, to: Host, protocol: Protocol, port: number): Verdict {
  return new NetworkPolicies(state).judge({ from: endOf(state, from), to: endOf(state, to), protocol, port })
}

function endOf(state: ClusterState, { namespace, name, ip }: Host): End {
  return namespace === undefined ? endAt(state, ip) : endOfPod(state.get('Pod', `${namespace}/${name}`)!, ip)
}
