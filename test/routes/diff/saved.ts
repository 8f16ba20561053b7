/** The cluster of test/fixtures/routes, and the rules that were saved on its node. */
import { readFileSync } from 'node:fs'
import { ClusterState } from '../../../src/cluster/state.ts'
import { ServiceNames } from '../../../src/routes/diff/service-names.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { manifestsSource } from '../../../src/sources/manifests/index.ts'

const folder = new URL('../../fixtures/routes/', import.meta.url)

export const manifests = new URL('cluster.yaml', folder).pathname

export const saved = {
  IPv4: read('iptables-save.txt'),
  IPv6: read('ip6tables-save.txt'),
  kubeProxyNft: read('kube-proxy-nft.json'),
  portolanNft: read('portolan-nft.json'),
} as const

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8')
}

export const state = new ClusterState({ kinds: ['Service', 'EndpointSlice', 'Node'] })
await manifestsSource({ path: manifests, watch: 'never' }).follow(state, new AbortController().signal)

export const table = new RouteTable()
table.rebuild(state)

export const options = { node: state.get('Node', 'worker-1')!, clusterCIDRs: ['10.244.0.0/16', 'fd00:244::/48'] }

export const names = (): ServiceNames => new ServiceNames(table.destinations())
