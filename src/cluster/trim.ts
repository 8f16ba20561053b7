/**
 * Turns API JSON into the objects we keep. The JSON is not trusted: an object that does not parse is a named problem, never
 * an exception. Defaults are those that the API server fills in, so that hand-written objects read the same.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { PortolanError } from '../errors.ts'
import { Fields } from './fields.ts'
import { intern } from './intern.ts'
import {
  type Endpoint,
  type EndpointHints,
  type EndpointPort,
  type EndpointSlice,
  type Kind,
  keyOf,
  type Meta,
  type Namespace,
  NO_HINTS,
  type Node,
  type ObjectOf,
  type Pod,
  type Protocol,
  type Service,
  type ServicePort,
  type Traffic,
  USUAL_TRAFFIC,
} from './objects.ts'
import { PackedSlice } from './packed-slice.ts'
import { same } from './same.ts'

/** Which object could not be used, and why. Name and namespace are empty where they could not be read. */
export interface Problem {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
  /** Starts with the path of the field. */
  readonly message: string
}

export type Trimmed<T> =
  | { readonly object: T; readonly problem?: never }
  | { readonly object?: never; readonly problem: Problem }

/** Trims one object of a known kind (the items of an API list do not carry theirs). Never throws for bad JSON. */
export function trim<K extends Kind>(kind: K, json: unknown): Trimmed<ObjectOf<K>> {
  try {
    return { object: trimmers[kind](new Fields(json)) }
  } catch (error) {
    if (!(error instanceof PortolanError)) throw error
    return { problem: { kind, ...nameOf(json), message: error.message } }
  }
}

/** One line that names the object and says what is wrong with it. */
export function describe(problem: Problem): string {
  return `${problem.kind} ${keyOf(problem) || '(no name)'}: ${problem.message}`
}

const trimmers: { readonly [K in Kind]: (json: Fields) => ObjectOf<K> } = {
  Namespace: trimNamespace,
  Service: trimService,
  EndpointSlice: trimEndpointSlice,
  Pod: trimPod,
  Node: trimNode,
}

function trimNamespace(json: Fields): Namespace {
  return { kind: 'Namespace', ...trimNamed(json, label), namespace: '' }
}

const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const

function trimService(json: Fields): Service {
  const spec = json.child('spec')
  const type = spec.oneOf('type', serviceTypes, 'ClusterIP')
  const external = type === 'ExternalName'
  const given = spec.texts('clusterIPs')
  const clusterIPs = (given.length > 0 ? given : [spec.text('clusterIP', '')]).map(unpadded)
  const headless = !external && clusterIPs[0] === 'None'
  const addresses = external || headless ? [] : clusterIPs.filter(ip => ip !== '')
  if (!addresses.every(isAddress)) spec.refuse(given.length > 0 ? 'clusterIPs' : 'clusterIP', 'IP addresses or None')
  const externalIPs = spec.texts('externalIPs').map(unpadded)
  if (!externalIPs.every(isAddress)) spec.refuse('externalIPs', 'IP addresses')
  const ingress = json.child('status').child('loadBalancer').children('ingress').flatMap(trimIngress)
  if (external && !spec.text('externalName')) spec.refuse('externalName', 'a domain name')
  return {
    kind: 'Service',
    ...trimMeta(json, label),
    type,
    clusterIPs: addresses,
    headless,
    externalName: external ? spec.text('externalName', '') : '',
    ports: spec.children('ports').map(trimServicePort),
    selector: spec.map('selector'),
    publishNotReadyAddresses: spec.flag('publishNotReadyAddresses') ?? false,
    externalIPs,
    loadBalancerIPs: ingress.map(({ ip }) => ip),
    traffic: trimTraffic(
      spec,
      ingress.flatMap(({ ip, proxied }) => (proxied ? ip : [])),
    ),
  }
}

const ipModes = ['VIP', 'Proxy'] as const

/** The entries of a load balancer that have an address; others have a hostname. */
function trimIngress(json: Fields): { readonly ip: string; readonly proxied: boolean }[] {
  const ip = trimAddress(json, 'ip')
  return ip === '' ? [] : [{ ip, proxied: json.oneOf('ipMode', ipModes, 'VIP') === 'Proxy' }]
}

const affinities = ['None', 'ClientIP'] as const
const policies = ['Cluster', 'Local'] as const
const threeHours = 10_800
const oneDay = 86_400

function trimTraffic(spec: Fields, proxyModeIPs: readonly string[]): Traffic {
  const sticky = spec.oneOf('sessionAffinity', affinities, 'None') === 'ClientIP'
  const clientIP = spec.child('sessionAffinityConfig').child('clientIP')
  const ranges = spec.texts('loadBalancerSourceRanges').map(range => range.trim())
  if (!ranges.every(isRange)) spec.refuse('loadBalancerSourceRanges', 'CIDR ranges')
  const traffic = {
    affinitySeconds: sticky ? (clientIP.integer('timeoutSeconds', 1, oneDay) ?? threeHours) : 0,
    internalTrafficPolicy: spec.oneOf('internalTrafficPolicy', policies, 'Cluster'),
    externalTrafficPolicy: spec.oneOf('externalTrafficPolicy', policies, 'Cluster'),
    loadBalancerSourceRanges: ranges,
    proxyModeIPs,
    healthCheckNodePort: spec.integer('healthCheckNodePort', 0, 65535) ?? 0,
    trafficDistribution: spec.text('trafficDistribution', ''),
  }
  return same(traffic, USUAL_TRAFFIC) ? USUAL_TRAFFIC : traffic
}

const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']

function trimServicePort(json: Fields): ServicePort {
  const port = json.integer('port', 1, 65535) ?? json.refuse('port', 'a port number')
  return {
    name: intern(json.text('name', '')),
    protocol: json.oneOf('protocol', protocols, 'TCP'),
    port,
    // The API server takes 0 and '' for absent.
    targetPort: json.integerOrText('targetPort', 0, 65535) || port,
    nodePort: json.integer('nodePort', 0, 65535) ?? 0,
    appProtocol: intern(json.text('appProtocol', '')),
  }
}

const addressTypes = ['IPv4', 'IPv6', 'FQDN'] as const

function trimEndpointSlice(json: Fields): EndpointSlice {
  const meta = trimMeta(json, subdomain)
  const addressType = json.oneOf('addressType', addressTypes, 'IPv4')
  return new PackedSlice({
    ...meta,
    serviceName: intern(meta.labels['kubernetes.io/service-name'] ?? ''),
    lastChangeTriggerTime: triggerTime(json.child('metadata').map('annotations')),
    addressType,
    ports: json.children('ports').map(trimEndpointPort),
    endpoints: json.children('endpoints').map(endpoint => trimEndpoint(endpoint, addressType)),
  })
}

/** An annotation that is no time is none: it is for measurements only. */
function triggerTime(annotations: Readonly<Record<string, string>>): number {
  return Date.parse(annotations['endpoints.kubernetes.io/last-change-trigger-time'] ?? '') || 0
}

function trimEndpointPort(json: Fields): EndpointPort {
  return {
    name: intern(json.text('name', '')),
    protocol: json.oneOf('protocol', protocols, 'TCP'),
    port: json.integer('port', 1, 65535),
  }
}

const addressTests = { IPv4: isIPv4, IPv6: isAddress6, FQDN: (name: string) => name !== '' } as const

function trimEndpoint(json: Fields, addressType: EndpointSlice['addressType']): Endpoint {
  const addresses = json.texts('addresses').map(unpadded)
  if (!addresses.every(addressTests[addressType])) json.refuse('addresses', `${addressType} addresses`)
  const conditions = json.child('conditions')
  return {
    addresses,
    hostname: json.text('hostname', ''),
    ready: conditions.flag('ready') ?? true,
    serving: conditions.flag('serving') ?? true,
    terminating: conditions.flag('terminating') ?? false,
    targetName: json.child('targetRef').text('name', ''),
    nodeName: json.text('nodeName', ''),
    zone: json.text('zone', ''),
    hints: json.has('hints') ? trimHints(json.child('hints')) : NO_HINTS,
  }
}

function trimHints(json: Fields): EndpointHints {
  const names = (field: string) => json.children(field).map(entry => entry.text('name', ''))
  return { forZones: names('forZones'), forNodes: names('forNodes') }
}

function trimPod(json: Fields): Pod {
  const spec = json.child('spec')
  const status = json.child('status')
  const podIPs = status.children('podIPs').map(entry => trimAddress(entry, 'ip'))
  if (podIPs.length === 0) podIPs.push(trimAddress(status, 'podIP'))
  return {
    kind: 'Pod',
    ...trimMeta(json, subdomain),
    podIPs: podIPs.filter(ip => ip !== ''),
    phase: intern(status.text('phase', 'Pending')),
    terminating: json.child('metadata').has('deletionTimestamp'),
    hostNetwork: spec.flag('hostNetwork') ?? false,
    nodeName: intern(spec.text('nodeName', '')),
  }
}

function trimNode(json: Fields): Node {
  const named = trimNamed(json, subdomain)
  const addresses = json.child('status').children('addresses')
  const spec = json.child('spec')
  const podCIDRs = spec.texts('podCIDRs')
  return {
    kind: 'Node',
    ...named,
    namespace: '',
    internalIPs: addresses
      .filter(entry => entry.text('type') === 'InternalIP')
      .map(entry => trimAddress(entry, 'address'))
      .filter(ip => ip !== ''),
    zone: named.labels['topology.kubernetes.io/zone'] ?? '',
    podCIDRs: podCIDRs.length > 0 ? podCIDRs : [spec.text('podCIDR', '')].filter(range => range !== ''),
  }
}

interface NameRule {
  readonly pattern: RegExp
  readonly longest: number
  readonly text: string
}

const label: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  longest: 63,
  text: 'a DNS label: at most 63 lower-case letters, digits and hyphens',
}

const subdomain: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  longest: 253,
  text: 'a DNS subdomain: at most 253 lower-case letters, digits, hyphens and dots',
}

function matches(name: string, { pattern, longest }: NameRule): boolean {
  return name.length <= longest && pattern.test(name)
}

function trimMeta(json: Fields, rule: NameRule): Meta {
  const named = trimNamed(json, rule)
  const meta = json.child('metadata')
  const namespace = meta.text('namespace', '')
  if (!matches(namespace, label)) meta.refuse('namespace', label.text)
  return { ...named, namespace: intern(namespace) }
}

function trimNamed(json: Fields, rule: NameRule): Omit<Meta, 'namespace'> {
  const meta = json.child('metadata')
  const name = meta.text('name') ?? meta.refuse('name', rule.text)
  if (!matches(name, rule)) meta.refuse('name', rule.text)
  return { name, labels: trimLabels(meta) }
}

function trimLabels(meta: Fields): Meta['labels'] {
  const labels = meta.map('labels')
  for (const key in labels) labels[key] = intern(labels[key]!)
  return labels
}

function trimAddress(json: Fields, field: string): string {
  const ip = unpadded(json.text(field, ''))
  return ip === '' || isAddress(ip) ? ip : json.refuse(field, 'an IP address')
}

function isRange(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/')
  const longest = isIPv4(unpadded(address)) ? 32 : 128
  return rest.length === 0 && isAddress(unpadded(address)) && /^\d{1,3}$/.test(length) && Number(length) <= longest
}

// The API server takes IPv4 addresses with leading zeros and, as kube-proxy does, reads them as decimal.
function unpadded(text: string): string {
  return /^\d+(\.\d+){3}$/.test(text) ? text.replace(/\b0+(?=\d)/g, '') : text
}

function isAddress(text: string): boolean {
  return isIPv4(text) || isAddress6(text)
}

// Node takes a zone (`fe80::1%eth0`) for a part of the address; no such address can stand in a record.
function isAddress6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function nameOf(json: unknown): { namespace: string; name: string } {
  const { metadata } = (json ?? {}) as { metadata?: { name?: unknown; namespace?: unknown } | null }
  return { namespace: textOr(metadata?.namespace), name: textOr(metadata?.name) }
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
