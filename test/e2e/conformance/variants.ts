/** The Corefiles that both servers are started with, and what is asked of each besides the cluster's names. */
import type { TypeName } from '../message.ts'

/** The ways to the API server, each of which may do everything. */
export interface Access {
  readonly kubeconfig: string
  /** A kubeconfig whose current context leads nowhere; `context` is the one that leads to the API server. */
  readonly contexts: string
  readonly context: string
  readonly url: string
  /** Files of a client's certificate, of its key, and of the authority of the server's. */
  readonly tls: readonly [cert: string, key: string, ca: string]
}

/** What differs between two servers that run the same variant side by side. */
export interface Place extends Access {
  readonly port: number
  /** Address and port of the server's own upstream. */
  readonly upstream: string
  /** Path of a file in the format of /etc/hosts. */
  readonly hosts: string
  /** Ports that nobody listens on. */
  readonly free: readonly [number, number, number]
}

/** A question that has to get at least so many answers before a server counts as ready. */
export type Probe = readonly [name: string, type: TypeName, answers: number]

export interface Variant {
  readonly name: string
  readonly corefile: (place: Place) => string
  readonly probes: readonly Probe[]
  /** The forward zones of the cluster; the first is asked in full. */
  readonly zones: readonly string[]
  /** Names beyond the cluster's that are asked too. */
  readonly extra: readonly ('upstream' | 'hosts')[]
  /** Seconds by which TTLs may differ, where replies age in a cache. */
  readonly ttlSlack: number
  /** False where the API server cannot be reached. */
  readonly synced: boolean
}

const service: Probe = ['five.shop.svc.cluster.local', 'A', 1]
const endpoints: Probe = ['big.big.svc.cluster.local', 'A', 1200]
const pods: Probe = ['10-244-2-1.odd.pod.cluster.local', 'A', 1]
const upstream: Probe = ['www.up.test', 'A', 1]
const reverseZones = 'in-addr.arpa ip6.arpa'

interface Setting {
  /** Options that say where the API server is; the kubeconfig unless given. */
  readonly access?: (place: Place) => readonly string[]
  /** Zones of the `kubernetes` block. */
  readonly zones?: string
  /** Options of the `kubernetes` block, one a line. */
  readonly options?: readonly string[]
  /** Plugins beside it, one a line. */
  readonly beside?: (place: Place) => readonly string[]
  readonly probes?: readonly Probe[]
  readonly forwardZones?: readonly string[]
  readonly extra?: Variant['extra']
  readonly ttlSlack?: number
  readonly synced?: boolean
}

function variant(name: string, setting: Setting = {}): Variant {
  const { zones = `cluster.local ${reverseZones}`, options = [], beside = () => [] } = setting
  const {
    probes = [service, endpoints],
    forwardZones = ['cluster.local'],
    extra = [],
    ttlSlack = 0,
    synced = true,
    access = ({ kubeconfig }) => [`kubeconfig ${kubeconfig}`],
  } = setting
  return {
    name,
    probes,
    zones: forwardZones,
    extra,
    ttlSlack,
    synced,
    corefile: place => `.:${place.port} {
    kubernetes ${zones} {
${[...access(place), ...options].map(option => `        ${option}\n`).join('')}    }
${beside(place)
  .map(line => `    ${line}\n`)
  .join('')}}
`,
  }
}

const forward = ({ upstream }: Place): string[] => [`forward . ${upstream}`]
const inlineHosts = [
  'hosts {',
  '    192.0.2.210 Inline.hosts.test inline-alias.hosts.test',
  '    2001:db8::210 inline.hosts.test',
  '    192.0.2.211 web.shop.svc.cluster.local',
]

/** kubeadm's default as it is written into a new cluster, but for ports, kubeconfig and the address of the upstream. */
const kubeadm: Variant = {
  name: 'kubeadm',
  probes: [service, endpoints, upstream],
  zones: ['cluster.local'],
  extra: ['upstream'],
  ttlSlack: 1,
  synced: true,
  corefile: ({ port, kubeconfig, upstream, free: [health, ready, metrics] }) => `.:${port} {
    errors
    health 127.0.0.1:${health} {
       lameduck 5s
    }
    ready 127.0.0.1:${ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       kubeconfig ${kubeconfig}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus 127.0.0.1:${metrics}
    forward . ${upstream} {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`,
}

export const variants: readonly Variant[] = [
  kubeadm,
  variant('plain'),
  variant('bind', { beside: () => ['bind 127.0.0.1'] }),
  variant('pods-disabled', { options: ['pods disabled', 'ttl 30'] }),
  variant('pods-insecure', { options: ['pods insecure', 'ttl 0'] }),
  variant('pods-verified', { options: ['pods verified', 'ttl 3600'], probes: [service, endpoints, pods] }),
  variant('fallthrough', {
    options: ['pods verified', 'fallthrough'],
    beside: forward,
    probes: [service, endpoints, pods],
  }),
  variant('fallthrough-end', { options: ['fallthrough'] }),
  variant('fallthrough-zones', {
    options: ['fallthrough in-addr.arpa shop.svc.cluster.local pod.cluster.local'],
    beside: forward,
  }),
  variant('endpoint-pod-names', { options: ['endpoint_pod_names', 'pods insecure'] }),
  variant('noendpoints', { options: ['noendpoints'], probes: [service] }),
  variant('ignore-empty', { options: ['ignore empty_service'] }),
  variant('namespaces', {
    options: ['namespaces shop hl ext', 'pods verified'],
    probes: [service, ['hn.hl.svc.cluster.local', 'A', 3], ['10-244-1-1.shop.pod.cluster.local', 'A', 1]],
  }),
  variant('namespace-labels', {
    options: ['namespace_labels team in (red, green)', 'pods insecure'],
    probes: [service],
  }),
  variant('labels', {
    options: ['labels app in (web, five)', 'pods verified'],
    probes: [service, ['10-244-1-1.shop.pod.cluster.local', 'A', 1]],
  }),
  variant('zones', {
    zones: 'other.test cluster.local 10.0.0.0/12 fd00:96::/64 10.244.0.0/22',
    options: ['pods insecure'],
    forwardZones: ['cluster.local', 'other.test'],
  }),
  variant('zonal', { options: ['zonal', 'pods verified'], probes: [service, endpoints, pods] }),
  variant('combined', {
    options: [
      'namespaces shop hl odd',
      'labels app notin (five)',
      'pods verified',
      'endpoint_pod_names',
      'zonal',
      'ignore empty_service',
      'ttl 60',
    ],
    probes: [['hn.hl.svc.cluster.local', 'A', 3], pods],
  }),
  variant('endpoint-tls', { access: ({ url, tls }) => [`endpoint ${url}`, `tls ${tls.join(' ')}`] }),
  variant('kubeconfig-context', { access: ({ contexts, context }) => [`kubeconfig ${contexts} ${context}`] }),
  variant('apiserver-limits', {
    options: [
      'apiserver_qps 4',
      'apiserver_burst 2',
      'apiserver_max_inflight 1',
      'startup_timeout 20s',
      'pods verified',
    ],
    probes: [service, endpoints, pods],
  }),
  variant('forward', { beside: forward, probes: [service, endpoints, upstream], extra: ['upstream'] }),
  variant('cache', {
    options: ['pods verified'],
    beside: place => ['cache 30', ...forward(place)],
    probes: [service, endpoints, pods, upstream],
    extra: ['upstream'],
    ttlSlack: 2,
  }),
  variant('cache-ttls', {
    options: ['ttl 3600', 'fallthrough'],
    beside: place => ['cache {', '    success 20000 60 10', '    denial 20000 20 1', '}', ...forward(place)],
    extra: ['upstream'],
    ttlSlack: 2,
  }),
  variant('hosts-inline', {
    beside: place => [...inlineHosts, '    fallthrough', '}', ...forward(place)],
    probes: [service, endpoints, ['inline.hosts.test', 'A', 1]],
    extra: ['hosts', 'upstream'],
  }),
  variant('hosts-file', {
    beside: ({ hosts, upstream }) => [
      `hosts ${hosts} hosts.test up.test 192.0.2.0/24 {`,
      '    ttl 77',
      '    fallthrough up.test',
      '}',
      `forward . ${upstream}`,
    ],
    probes: [service, endpoints, ['file.hosts.test', 'A', 2]],
    extra: ['hosts', 'upstream'],
  }),
  variant('unsynced', {
    access: ({ free }) => [`endpoint http://127.0.0.1:${free[0]}`],
    options: ['fallthrough', 'startup_timeout 1s'],
    beside: forward,
    probes: [upstream],
    extra: ['upstream'],
    synced: false,
  }),
]

/** A variant of a Corefile of the user's own, in which PORT, KUBECONFIG and UPSTREAM stand for those of each server. */
export function corefileVariant(text: string): Variant {
  return {
    ...variant('corefile', { extra: ['upstream'], probes: [service], ttlSlack: 2 }),
    corefile: ({ port, kubeconfig, upstream }) =>
      text.replaceAll('PORT', String(port)).replaceAll('KUBECONFIG', kubeconfig).replaceAll('UPSTREAM', upstream),
  }
}
