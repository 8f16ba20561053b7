/** A world for the checks of `doctor`: a small cluster that works, and whatever a test puts in its place. */

import type { Check, Examined, Finding } from '../../../src/client/doctor/check.ts'
import { isMissing } from '../../../src/client/doctor/check.ts'
import { dnsServerOf } from '../../../src/client/doctor/dns-server.ts'
import type { Heard, Network, Transport, World } from '../../../src/client/doctor/world.ts'
import type { ClusterObject } from '../../../src/cluster/objects.ts'
import { parseCorefile } from '../../../src/corefile/parser.ts'
import { cluster, object, service, slice } from '../../helpers/cluster.ts'

const notLooked = { missing: 'not looked at' }

export interface PodLook {
  readonly labels?: Readonly<Record<string, string>>
  readonly ready?: boolean
  readonly node?: string
  readonly dnsPolicy?: string
  readonly ports?: readonly object[]
}

/** A pod as the kubelet tells of it. */
export function livePod(key: string, ip: string, look: PodLook = {}): ClusterObject {
  const { labels = {}, ready = true, node = 'n1', dnsPolicy, ports } = look
  return object('Pod', key, {
    metadata: { labels },
    spec: { nodeName: node, dnsPolicy, containers: [{ name: 'main', ports }] },
    status: {
      phase: 'Running',
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  })
}

const dnsLabels = { 'k8s-app': 'kube-dns' }

/** Two DNS pods behind kube-dns, and the service kubernetes. */
export function dnsObjects({ ready = [true, true] }: { readonly ready?: readonly boolean[] } = {}): ClusterObject[] {
  return [
    service('default/kubernetes', { ip: '10.96.0.1', ports: ['443'] }),
    service('kube-system/kube-dns', {
      ip: '10.96.0.10',
      ports: ['dns:53/UDP', 'dns-tcp:53/TCP'],
      selector: dnsLabels,
      labels: dnsLabels,
    }),
    ...ready.map((ready, i) =>
      livePod(`kube-system/dns-${i + 1}`, `10.244.${i + 1}.2`, {
        labels: dnsLabels,
        ready,
        node: `n${i + 1}`,
        dnsPolicy: 'Default',
      }),
    ),
    slice(
      'kube-system/kube-dns',
      ready.map((ready, i) => ({ ip: `10.244.${i + 1}.2`, ready, target: `dns-${i + 1}` })),
      { ports: ['dns:53/UDP', 'dns-tcp:53/TCP'] },
    ),
  ]
}

export function world(objects: readonly ClusterObject[] = dnsObjects(), parts: Partial<World> = {}): World {
  const view = cluster(...objects)
  return {
    view,
    zone: 'cluster.local',
    dns: dnsServerOf(view),
    resolver: notLooked,
    client: notLooked,
    target: notLooked,
    network: notLooked,
    outsideName: 'kubernetes.io',
    rules: notLooked,
    conntrack: notLooked,
    truncated: [],
    corefile: notLooked,
    ...parts,
  }
}

/** Answers by `10.244.1.2:53/udp NAME`, or by a part of that; silence where there is none. */
export function network(
  replies: Readonly<Record<string, Heard>>,
  refusals: Readonly<Record<string, string>> = {},
): Network {
  return {
    from: 'node n1',
    async ask(server: string, port: number, transport: Transport, name: string) {
      const question = `${server}:${port}/${transport} ${name}`
      const known = Object.keys(replies).find(part => question.includes(part))
      return known === undefined ? { silence: 'no reply' } : replies[known]!
    },
    connect: async (ip, port) => refusals[`${ip}:${port}`],
  }
}

export function corefileOf(text: string): World['corefile'] {
  return { where: 'Corefile', parsed: parseCorefile(text) }
}

/** What a check says of a world in which it is not skipped. */
export async function examined(check: Check, where: World): Promise<Examined> {
  const result = await check.examine(where)
  if (isMissing(result)) throw new Error(`${check.name} was skipped: ${result.missing}`)
  return result
}

/** `fault: what was seen`, for each finding. */
export async function told(check: Check, where: World): Promise<string[]> {
  const { findings } = await examined(check, where)
  return findings.map(({ level, seen }: Finding) => `${level}: ${seen}`)
}

/** Why a check is skipped; undefined where it is not. */
export async function skipped(check: Check, where: World): Promise<string | undefined> {
  const result = await check.examine(where)
  return isMissing(result) ? result.missing : undefined
}
