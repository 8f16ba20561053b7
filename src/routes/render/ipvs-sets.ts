/** The sets of addresses that kube-proxy 1.34 has in its mode ipvs, and what it calls them. */
import type { Family } from '../../wire/address.ts'

/** Type and comment of each set; the comment stands at the rules that match it. In the order of kube-proxy. */
const sets = {
  'LOOP-BACK': ['hash:ip,port,ip', 'Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose'],
  'CLUSTER-IP': ['hash:ip,port', 'Kubernetes service cluster ip + port for masquerade purpose'],
  'EXTERNAL-IP': ['hash:ip,port', 'Kubernetes service external ip + port for masquerade and filter purpose'],
  'EXTERNAL-IP-LOCAL': ['hash:ip,port', 'Kubernetes service external ip + port with externalTrafficPolicy=local'],
  'LOAD-BALANCER': ['hash:ip,port', 'Kubernetes service lb portal'],
  'LOAD-BALANCER-FW': ['hash:ip,port', 'Kubernetes service load balancer ip + port for load balancer with sourceRange'],
  'LOAD-BALANCER-LOCAL': [
    'hash:ip,port',
    'Kubernetes service load balancer ip + port with externalTrafficPolicy=local',
  ],
  'LOAD-BALANCER-SOURCE-IP': [
    'hash:ip,port,ip',
    'Kubernetes service load balancer ip + port + source IP for packet filter purpose',
  ],
  'LOAD-BALANCER-SOURCE-CIDR': [
    'hash:ip,port,net',
    'Kubernetes service load balancer ip + port + source cidr for packet filter purpose',
  ],
  'NODE-PORT-TCP': ['bitmap:port', 'Kubernetes nodeport TCP port for masquerade purpose'],
  'NODE-PORT-LOCAL-TCP': ['bitmap:port', 'Kubernetes nodeport TCP port with externalTrafficPolicy=local'],
  'NODE-PORT-UDP': ['bitmap:port', 'Kubernetes nodeport UDP port for masquerade purpose'],
  'NODE-PORT-LOCAL-UDP': ['bitmap:port', 'Kubernetes nodeport UDP port with externalTrafficPolicy=local'],
  'NODE-PORT-SCTP-HASH': [
    'hash:ip,port',
    "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
  ],
  'NODE-PORT-LOCAL-SCTP-HASH': [
    'hash:ip,port',
    "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  ],
  'HEALTH-CHECK-NODE-PORT': ['bitmap:port', 'Kubernetes health check node port'],
  'IPVS-IPS': ['hash:ip', 'Addresses on the ipvs interface'],
} as const

/** The name of a set without what all names begin with. */
export type SetName = keyof typeof sets

export const setNames = Object.keys(sets) as readonly SetName[]

/** As long as the kernel lets the name of a set be. */
const LONGEST_NAME = 31

/** The whole name; those of IPv6 are cut where they would be too long. */
export function nameOfSet(set: SetName, family: Family): string {
  return family === 'IPv4' ? `KUBE-${set}` : `KUBE-6-${set}`.slice(0, LONGEST_NAME)
}

export function commentOfSet(set: SetName): string {
  return sets[set][1]
}

/** What makes the set where it is not there yet, for `ipset restore`. */
export function creationOf(set: SetName, family: Family): string {
  const [type] = sets[set]
  const inet = family === 'IPv4' ? 'inet' : 'inet6'
  const size = type === 'bitmap:port' ? 'range 0-65535' : `family ${inet} hashsize 1024 maxelem 65536`
  return `create ${nameOfSet(set, family)} ${type} ${size} -exist`
}
