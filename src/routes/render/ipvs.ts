/**
 * Routes as kube-proxy 1.34 has them in its mode ipvs. The kernel's IPVS leads connections to endpoints; sets of addresses, and rules of
 * iptables that match them, masquerade and turn away; and a dummy device has the virtual addresses, or nothing for them would come in.
 * Four texts for four programs. What kube-proxy does over time is left out: that an endpoint which goes keeps its connections at
 * weight 0, and settings of the kernel (`net.ipv4.vs`).
 */

import { hostPort } from '../../corefile/addresses.ts'
import type { SchedulerName } from '../choice/index.ts'
import { type RenderOptions, settingOf } from '../setting.ts'
import type { Routes } from '../table.ts'
import { IpvsNode, type VirtualServer } from './ipvs-node.ts'
import { ipvsRules } from './ipvs-rules.ts'
import { creationOf, nameOfSet, setNames } from './ipvs-sets.ts'

/** In the order in which they are to be loaded. */
export const ipvsParts = ['addresses', 'ipvsadm', 'ipset', 'iptables'] as const

export type IpvsPart = (typeof ipvsParts)[number]

export interface IpvsOptions extends RenderOptions {
  /** One of IPVS. Default: rr. */
  readonly scheduler?: Exclude<SchedulerName, 'random'>
  /** Whether the rules that lead from the kernel's chains to ours are there. Default: true; loaded twice they would be there twice. */
  readonly jumps?: boolean
}

/** What has the virtual addresses. `ip link add kube-ipvs0 type dummy` makes it. */
const device = 'kube-ipvs0'

/** The program that reads each part from its standard input. */
export function readerOf(part: IpvsPart, family: RenderOptions['family']): string {
  if (part === 'addresses') return 'ip -batch -'
  if (part === 'ipvsadm') return 'ipvsadm --restore'
  if (part === 'ipset') return 'ipset restore'
  return family === 'IPv4' ? 'iptables-restore --noflush' : 'ip6tables-restore --noflush'
}

/**
 * The parts of one family. Addresses and virtual servers are added to what there is; virtual servers that are there already are refused
 * (`ipvsadm --clear` makes room). Sets and chains are emptied first.
 */
export function renderIpvs(
  routes: Pick<Routes, 'destinations'>,
  options: IpvsOptions,
): Readonly<Record<IpvsPart, string>> {
  const { family, scheduler = 'rr', jumps = true } = options
  const setting = settingOf(options)
  const destinations = [...routes.destinations()].filter(destination => destination.family === family)
  const node = new IpvsNode(destinations, setting)
  return {
    addresses: addresses(node, family),
    ipvsadm: lines([...node.servers].flatMap(server => commands(server, scheduler))),
    ipset: lines(
      setNames.flatMap(set => {
        const name = nameOfSet(set, family)
        return [creationOf(set, family), `flush ${name}`, ...[...node.sets[set]].map(entry => `add ${name} ${entry}`)]
      }),
    ),
    iptables: ipvsRules(node, setting, jumps),
  }
}

/** On a device of type dummy, which must be there and need not be up; both families are on it. */
function addresses({ sets }: IpvsNode, family: RenderOptions['family']): string {
  const bits = family === 'IPv4' ? 32 : 128
  return lines([...sets['IPVS-IPS']].map(ip => `address replace ${ip}/${bits} dev ${device}`))
}

const protocolOptions = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' } as const

/** Endpoints are reached by rewriting addresses (-m), and are all worth the same. */
function commands({ ip, port, protocol, affinitySeconds, backends }: VirtualServer, scheduler: string): string[] {
  const service = `${protocolOptions[protocol]} ${hostPort(ip, port)}`
  const persistent = affinitySeconds > 0 ? ` -p ${affinitySeconds}` : ''
  return [
    `-A ${service} -s ${scheduler}${persistent}`,
    ...backends.map(({ address }) => `-a ${service} -r ${address} -m -w 1`),
  ]
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('')
}
