/** What network plugins write on a Node about the way to its pods. */
import type { Node } from '../cluster/objects.ts'
import type { Family } from '../wire/address.ts'
import { holds, parseRange } from '../wire/range.ts'

/** The way from another node. */
export interface Way {
  readonly kind: 'route' | 'tunnel' | 'unknown'
  /** Address of the node that packets for the pod are sent to; empty where it is not known. */
  readonly via: string
  /** Whether it leads to the node's `podCIDRs`. */
  readonly byRange: boolean
  /** What is written on Node objects: `Node n2: flannel.alpha.coreos.com/backend-type=vxlan`. */
  readonly evidence: readonly string[]
  /** What may be otherwise, or is wrong, in sentences without full stops. */
  readonly caveats: readonly string[]
  /** A sentence without its full stop. */
  readonly why: string
}

const flannel = 'flannel.alpha.coreos.com/'
const flannelTunnels: Readonly<Record<string, string>> = {
  vxlan: 'VXLAN',
  udp: 'UDP',
  wireguard: 'WireGuard',
  ipip: 'IPIP',
  ipsec: 'IPsec',
}

/** All of these are undefined where the plugin has written nothing. */
export function wayOfFlannel(node: Node, family: Family): Way | undefined {
  const notes = new Notes(node, flannel)
  const type = notes.read('backend-type')
  if (type === '') return undefined
  const via = notes.read(family === 'IPv4' ? 'public-ip' : 'public-ipv6')
  const at = via === '' ? `node ${node.name}` : `node ${node.name} at ${via}`
  const common = { via, byRange: true, caveats: [], evidence: notes.evidence }
  if (type === 'host-gw')
    return { ...common, kind: 'route', why: `flannel's host-gw: a route by way of ${at}, unchanged on the wire` }
  const tunnel = flannelTunnels[type]
  if (tunnel === undefined)
    return { ...common, kind: 'route', why: `flannel's ${type}: a route in the cloud's network to ${at}` }
  const direct = "with flannel's DirectRouting, nodes of one subnet are reached by a route instead"
  return {
    ...common,
    kind: 'tunnel',
    caveats: type === 'vxlan' ? [direct] : [],
    why: `flannel's ${tunnel} tunnel to ${at}`,
  }
}

const calico = 'projectcalico.org/'

/** `from` tells whether both nodes are in one subnet, which counts where tunnels are for other subnets only. */
export function wayOfCalico(node: Node, from: Node | undefined, family: Family): Way | undefined {
  const notes = new Notes(node, calico)
  const address = notes.read(`${family}Address`)
  const tunnels: readonly [name: string, annotation: string][] = [
    ['WireGuard', family === 'IPv4' ? 'WireguardPublicKey' : 'WireguardPublicKeyV6'],
    ['VXLAN', `${family}VXLANTunnelAddr`],
    ['IPIP', `${family}IPIPTunnelAddr`],
  ]
  const theirs = from && new Notes(from, calico)
  // Packets are encrypted only where both nodes can.
  const usable = (annotation: string) =>
    theirs === undefined || !annotation.startsWith('Wireguard') || theirs.read(annotation) !== ''
  const tunnel = tunnels.find(([, annotation]) => notes.read(annotation) !== '' && usable(annotation))
  if (address === '' && tunnel === undefined) return undefined
  const [via = ''] = address.split('/')
  const at = via === '' ? `node ${node.name}` : `node ${node.name} at ${via}`
  const common = { via, byRange: false, evidence: notes.evidence }
  if (tunnel === undefined)
    return {
      ...common,
      kind: 'route',
      caveats: [],
      why: `Calico's BGP: a route by way of ${at}, unchanged on the wire`,
    }
  const neighbours = theirs !== undefined && sameSubnet(address, theirs.read(`${family}Address`))
  const direct = 'both nodes are in one subnet: with mode CrossSubnet they need no tunnel, and the packet takes a route'
  const caveats = neighbours && tunnel[0] !== 'WireGuard' ? [direct] : []
  return { ...common, kind: 'tunnel', caveats, why: `Calico's ${tunnel[0]} tunnel to ${at}` }
}

/** Addresses with the length of their prefix. */
function sameSubnet(a: string, b: string): boolean {
  const range = parseRange(a)
  return range !== undefined && parseRange(b)?.family === range.family && holds(range.text, b.replace(/\/.*/, ''))
}

export function wayOfCilium(node: Node): Way | undefined {
  const notes = new Notes(node, 'network.cilium.io/')
  const older = new Notes(node, 'io.cilium.network.')
  notes.read('ipv4-pod-cidr')
  older.read('ipv4-pod-cidr')
  const evidence = [...notes.evidence, ...older.evidence]
  if (evidence.length === 0) return undefined
  const why = `Cilium leads to node ${node.name}: whether by routes or in a tunnel, Node objects do not tell`
  return { kind: 'unknown', via: '', byRange: false, caveats: [], evidence, why }
}

/** A cloud's controller makes routes to the ranges of nodes, and says when it has. */
export function wayOfCloud({ name, detail, podCIDRs }: Node): Way | undefined {
  if (detail?.networkReason !== 'RouteCreated') return undefined
  const evidence = [`Node ${name}: NetworkUnavailable has the reason RouteCreated`]
  const why = `a route in the cloud's network leads ${podCIDRs.join(', ')} to node ${name}`
  return { kind: 'route', via: '', byRange: true, caveats: [], evidence, why }
}

/** Reads annotations, and remembers what it found. */
class Notes {
  readonly evidence: string[] = []
  readonly #node: Node
  readonly #prefix: string

  constructor(node: Node, prefix: string) {
    this.#node = node
    this.#prefix = prefix
  }

  /** Empty where there is none. */
  read(name: string): string {
    const value = this.#node.detail?.annotations[this.#prefix + name] ?? ''
    if (value !== '') this.evidence.push(`Node ${this.#node.name}: ${this.#prefix}${name}=${value}`)
    return value
  }
}
