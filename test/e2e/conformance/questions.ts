/**
 * The questions that follow from the cluster's objects: every existing name with every type, and the wrong, odd and near ones around
 * them. The same cluster gives the same questions in the same order. Packets that are no plain question are in packets.ts.
 */
import { isIPv4, isIPv6 } from 'node:net'
import type { ApiObject } from '../api-client.ts'
import { type TypeName, types } from '../message.ts'
import { chainLengths, objects } from './cluster.ts'
import { dashed, mixedCase, reverseName } from './names.ts'

/** A name and type to ask, in the ways that modes.ts picks for it. */
export interface NameQuestion {
  /** What kind of question it is; differences are counted by it. */
  readonly group: string
  readonly name: string
  readonly type: TypeName
  /** Ask in every mode, not in two. */
  readonly everyMode?: boolean
}

interface Port {
  readonly port: number
  readonly name?: string
  readonly protocol: string
}

const everyType = (Object.keys(types) as TypeName[]).filter(type => !['OPT', 'IXFR', 'AXFR', 'DNAME'].includes(type))
const mainTypes = ['A', 'AAAA', 'SRV', 'TXT', 'CNAME', 'PTR', 'NS', 'SOA', 'MX', 'ANY', 'HTTPS'] as const
const wrongTypes = ['A', 'AAAA', 'SRV', 'TXT', 'SOA'] as const
const addressTypes = ['A', 'AAAA', 'SRV'] as const

/** All questions for a server whose cluster has these forward zones, the first of which is asked in full. */
export function questionsFor(zones: readonly string[] = ['cluster.local']): NameQuestion[] {
  const [main = 'cluster.local', ...others] = zones
  const all = [
    ...services().flatMap(object => aboutService(object, main)),
    ...aboutEndpoints(main),
    ...aboutPods(main),
    ...aboutZone(main),
    ...aboutZonal(main),
    ...aboutReverse(),
    ...aboutOtherZones(),
    ...others.flatMap(zone => [
      ...services()
        .filter(({ metadata }) => ['web', 'dual', 'hn', 'www', 'inside'].includes(metadata.name))
        .flatMap(object => aboutService(object, zone)),
      ...aboutZone(zone),
    ]),
  ]
  const known = new Set<string>()
  return all.filter(({ name, type }) => {
    const key = `${name} ${type}`
    return known.has(key) ? false : known.add(key)
  })
}

/** Names around what the `hosts` variants know. */
export const hostNames: readonly NameQuestion[] = [
  'file.hosts.test',
  'File.hosts.test',
  'file-alias.hosts.test',
  'zone.hosts.test',
  'broken.hosts.test',
  'inline.hosts.test',
  'INLINE.hosts.test',
  'inline-alias.hosts.test',
  'nosuch.hosts.test',
  'hosts.test',
  'www.up.test',
  'web.shop.svc.cluster.local',
  reverseName('192.0.2.200'),
  reverseName('192.0.2.201'),
  reverseName('192.0.2.210'),
  reverseName('192.0.2.211'),
  reverseName('192.0.2.202'),
  reverseName('192.0.2.1'),
  reverseName('2001:db8::200'),
  reverseName('2001:db8::210'),
  reverseName('fe80::1'),
].flatMap(name => ask('hosts', name, [...mainTypes, 'TYPE65400']))

function ask(group: string, name: string, asked: readonly TypeName[], everyMode = false): NameQuestion[] {
  return asked.map(type => ({ group, name, type, everyMode }))
}

function services(): ApiObject[] {
  return objects.filter(object => object.kind === 'Service')
}

function aboutService({ metadata, spec }: ApiObject, zone: string): NameQuestion[] {
  const { name, namespace } = metadata
  const base = `${name}.${namespace}.svc.${zone}`
  if (name.startsWith('chain-')) {
    const first = chainLengths.some(length => name === `chain-${length}`)
    return ask('external', base, first ? mainTypes : ['A', 'CNAME'])
  }
  const large = namespace === 'big'
  const ports = portsOf(spec)
  const first = ports[0] ?? { name: 'http', port: 80, protocol: 'TCP' }
  const [port, protocol] = [first.name ?? '', first.protocol.toLowerCase()]
  const shuffled = mixedCase(base)
  return [
    ...ask('service', base, everyType, large),
    ...ask('case', shuffled, ['A', 'AAAA', 'SRV', 'TXT', 'ANY']),
    ...ask('case', mixedCase(`_${port}._${protocol}.${base}`), ['SRV', 'A']),
    ...ports.flatMap(each =>
      ask('port', `_${each.name ?? ''}._${each.protocol.toLowerCase()}.${base}`, addressTypes, large),
    ),
    ...ask('port', `_${port}._${protocol}.${base}`, ['TXT', 'CNAME', 'ANY', 'SOA']),
    ...[
      `${port || 'x'}.${protocol}`,
      `_${port || 'x'}.${protocol}`,
      `${port || 'x'}._${protocol}`,
      `_._${protocol}`,
    ].flatMap(spelling => ask('port-spelling', `${spelling}.${base}`, ['SRV', 'A'])),
    ...[
      '_._',
      '_._udp',
      '_._sctp',
      `_${first.port}._${protocol}`,
      `__${port}._${protocol}`,
      `_${port}.__${protocol}`,
    ].flatMap(spelling => ask('port-spelling', `${spelling}.${base}`, ['SRV'])),
    ...[`_nosuch._${protocol}`, `_${port}._nosuch`, `_any._any`, '_*._*', '*._tcp', `_tcp._${port || 'http'}`].flatMap(
      wrong => ask('wrong-port', `${wrong}.${base}`, ['SRV', 'A']),
    ),
    ...['nosuch', '_tcp', '_', '*', 'any', `a.b.c`, `_x._${port || 'y'}._${protocol}`].flatMap(wrong =>
      ask('wrong-endpoint', `${wrong}.${base}`, wrong === 'nosuch' ? wrongTypes : ['A', 'SRV']),
    ),
    ...ask('wrong-namespace', `${name}.nosuch.svc.${zone}`, ['A', 'SRV']),
    ...ask('wrong-kind', `${name}.${namespace}.pod.${zone}`, ['A']),
    ...ask('wrong-kind', `${name}.${namespace}.${zone}`, ['A']),
    ...addressesOf(spec).flatMap(address => ask('vip', reverseName(address), ['PTR', 'A', 'ANY', 'SOA'])),
  ]
}

function aboutEndpoints(zone: string): NameQuestion[] {
  return objects
    .filter(object => object.kind === 'EndpointSlice')
    .flatMap(object => {
      const { namespace, labels = {} } = object.metadata
      const owner = labels['kubernetes.io/service-name'] ?? 'nolabel'
      const all = object['endpoints'] as { addresses: string[]; hostname?: string; targetRef?: { name: string } }[]
      const sample = all.length > 40 ? [all[0]!, all[all.length >> 1]!, all.at(-1)!] : all
      return sample.flatMap(({ addresses, hostname, targetRef }) =>
        addresses.flatMap(address => {
          const labelsOf = new Set([dashed(address), `${dashed(address)}0`, hostname, targetRef?.name])
          const names = [...labelsOf]
            .filter(label => label !== undefined)
            .map(label => `${label}.${owner}.${namespace}.svc.${zone}`)
          return [
            ...names.flatMap(name => ask('endpoint', name, ['A', 'AAAA', 'SRV', 'TXT', 'ANY'])),
            ...names.slice(0, 1).flatMap(name => ask('case', mixedCase(name), ['A', 'SRV'])),
            ...names.slice(0, 1).flatMap(name => ask('endpoint', `_http._tcp.${name}`, ['SRV'])),
            ...(isIPv4(address) || isIPv6(address)
              ? ask('endpoint-ptr', reverseName(address), ['PTR', 'A', 'TXT'])
              : []),
          ]
        }),
      )
    })
}

function aboutPods(zone: string): NameQuestion[] {
  const addresses = objects
    .filter(object => object.kind === 'Pod')
    .flatMap(object => (object['status'] as { podIPs?: { ip: string }[] }).podIPs ?? [])
    .map(({ ip }) => ip)
  const unused = ['10.0.0.1', '172.16.254.3', 'fd00:10::ffff', '2001:db8:5:0:0:0:0:0', '::1', '1:2:3:4:5:6:7:8']
  const odd = [
    '010-0-0-1',
    '1-2-3',
    '1-2-3-4-5',
    '256-1-1-1',
    '1--1',
    '--1',
    '--',
    '-',
    '--ffff-10-0-0-1',
    '2001-db8-5--0',
    '2001-db8--',
    'nosuch',
    '10.244.1.1',
    '10-244-1-1-',
    '-10-244-1-1',
    '2001-DB8-6--1',
    '2001-db8-6-0-0-0-0-1',
    '*',
    '_',
    'any',
    '0-0-0-0',
    '10-244-1-01',
  ]
  return [
    ...[...addresses, ...unused].flatMap(address => [
      ...['shop', 'odd', 'nosuch'].flatMap(namespace =>
        ask('pod', `${dashed(address)}.${namespace}.pod.${zone}`, ['A', 'AAAA', 'SRV', 'TXT', 'ANY', 'PTR']),
      ),
      ...ask('case', mixedCase(`${dashed(address)}.shop.pod.${zone}`), ['A', 'AAAA']),
      ...ask('pod-ptr', reverseName(address), ['PTR']),
    ]),
    ...odd.flatMap(label => ask('pod-odd', `${label}.shop.pod.${zone}`, ['A', 'AAAA', 'SRV'])),
    ...['x', 'a.b', 'a.b.c', '_http._tcp', '*', '_._'].flatMap(extra =>
      ask('pod-odd', `${extra}.10-244-1-1.shop.pod.${zone}`, ['A', 'AAAA', 'SRV', 'TXT']),
    ),
  ]
}

function aboutZone(zone: string): NameQuestion[] {
  const standing = [zone, `svc.${zone}`, `pod.${zone}`, `dns-version.${zone}`, `dns.${zone}`, `ns.dns.${zone}`]
  const namespaces = ['shop', 'hl', 'empty', 'default', 'kube-system', 'svc', 'pod', 'nosuch']
  const wrong = [
    'nosuch',
    'a.b',
    'a.b.c.d',
    'x.ns.dns',
    'apex.dns',
    'x.dns-version',
    'kubernetes.default',
    '_tcp',
    '*',
    'any',
    '_',
    'x.svc.svc',
    'a\\.b.shop.svc',
    'a\\032b.shop.svc',
    '\\000.shop.svc',
    '\\255.shop.svc',
    'w\\.eb.shop.svc',
    'web\\.shop.svc',
    'web.shop\\.svc',
    '*.shop.svc',
    'any.shop.svc',
    '_.shop.svc',
    '-.shop.svc',
    `${'l'.repeat(63)}.shop.svc`,
    'web.*.svc',
    'web.any.svc',
    'web.shop.any',
    'web.shop.svcs',
    'web.shop',
    'a.b.c.d.e.f.g.web.shop.svc',
    'shop.svc.shop.svc',
    'web.shop.svc.cluster.local',
    'kubernetes.default.svc',
    '_https._tcp.kubernetes.default.svc',
    'xn--bcher-kva.shop.svc',
    '1.shop.svc',
    'dns.shop.svc',
    'endpoints.shop',
  ]
  return [
    ...standing.flatMap(name => ask('zone', name, everyType)),
    ...standing.flatMap(name => ask('case', mixedCase(name), ['A', 'NS', 'SOA', 'TXT', 'ANY'])),
    ...namespaces.flatMap(name => [
      ...ask('namespace', `${name}.svc.${zone}`, mainTypes),
      ...ask('namespace', `${name}.pod.${zone}`, ['A', 'SRV', 'TXT', 'SOA', 'NS']),
      ...ask('namespace', `${name}.${zone}`, ['A', 'SOA']),
      ...ask('case', mixedCase(`${name}.svc.${zone}`), ['A', 'TXT']),
    ]),
    ...wrong.flatMap(name => ask('wrong-name', `${name}.${zone}`, wrongTypes)),
    ...ask('transfer', zone, ['AXFR', 'IXFR']),
    ...ask('transfer', `web.shop.svc.${zone}`, ['AXFR']),
  ]
}

function aboutZonal(zone: string): NameQuestion[] {
  const service = `zoned.hl.svc.${zone}`
  const names = [
    ...['zone-a', 'ZONE-A', 'eu.zone-b', 'eu.Zone-B', 'nosuch', '_', '*', 'a.b.c'].flatMap(topology => [
      `${topology}.pin._zone.${service}`,
      `${topology}.prefer._zone.${service}`,
      `${topology}.nosuch._zone.${service}`,
    ]),
    `_zone.${service}`,
    `pin._zone.${service}`,
    `prefer._zone.${service}`,
    `zone-a.pin._zone.web.shop.svc.${zone}`,
    `zone-a.pin._zone.hn.hl.svc.${zone}`,
    `zone-a.prefer._zone.hn.hl.svc.${zone}`,
    `zone-a.prefer._zone.down.hl.svc.${zone}`,
    `_http._tcp.zone-a.pin._zone.${service}`,
    `za.zone-a.pin._zone.${service}`,
    `zone-a.pin.zone.${service}`,
  ]
  return names.flatMap(name => ask('zonal', name, ['A', 'AAAA', 'SRV', 'TXT']))
}

function aboutReverse(): NameQuestion[] {
  const missing = [
    '10.96.0.1',
    '10.96.255.254',
    '10.1.0.99',
    '192.0.2.77',
    '198.51.100.8',
    '198.51.100.9',
    'fd00:96::1',
    '2001:db8::dead',
  ]
  const malformed = [
    'in-addr.arpa',
    'ip6.arpa',
    '10.in-addr.arpa',
    '96.10.in-addr.arpa',
    '0.96.10.in-addr.arpa',
    '080.0.96.10.in-addr.arpa',
    '256.0.96.10.in-addr.arpa',
    '1.80.0.96.10.in-addr.arpa',
    'x.0.96.10.in-addr.arpa',
    'x.80.0.96.10.in-addr.arpa',
    '+80.0.96.10.in-addr.arpa',
    'svc.in-addr.arpa',
    'pod.in-addr.arpa',
    'default.svc.in-addr.arpa',
    'web.shop.svc.in-addr.arpa',
    'dns-version.in-addr.arpa',
    'ns.dns.in-addr.arpa',
    'dns.in-addr.arpa',
    'd.f.ip6.arpa',
    '0.0.d.f.ip6.arpa',
    'svc.ip6.arpa',
    'dns-version.ip6.arpa',
    `0.${reverseName('fd00:96::85')}`,
    reverseName('fd00:96::85').replace('5.', 'g.'),
    reverseName('fd00:96::85').replace('5.8.', '58.'),
    '_http._tcp.80.0.96.10.in-addr.arpa',
    '80-0-96-10.in-addr.arpa',
  ]
  return [
    ...missing.flatMap(address => ask('reverse', reverseName(address), ['PTR', 'A', 'SOA'])),
    ...malformed.flatMap(name => ask('reverse', name, ['PTR', 'A', 'SOA', 'NS', 'TXT', 'ANY', 'SRV'])),
    ...['10.96.0.80', 'fd00:96::85', '10.2.0.1'].flatMap(address => [
      ...ask('case', mixedCase(reverseName(address)), ['PTR', 'TXT']),
      ...ask('reverse', reverseName(address), everyType),
    ]),
  ]
}

function aboutOtherZones(): NameQuestion[] {
  return ['.', 'local', 'example.org', 'org', 'notcluster.local', 'cluster.localx', 'localhost'].flatMap(name =>
    ask('other-zone', name, ['A', 'SOA', 'NS', 'ANY']),
  )
}

function portsOf(spec: unknown): readonly Port[] {
  return (spec as { ports?: Port[] }).ports ?? []
}

function addressesOf(spec: unknown): string[] {
  return ((spec as { clusterIPs?: string[] }).clusterIPs ?? []).filter(address => address !== 'None')
}
