/**
 * Turns API JSON into the objects we keep. The JSON is not trusted: an object that does not parse is a named problem, never
 * an exception. Defaults are those that the API server fills in, so that hand-written objects read the same.
 */
import { isIPv4 } from 'node:net'
import { PortolanError } from '../errors.ts'
import { unpadded } from '../wire/address.ts'
import { Fields } from './fields.ts'
import { intern } from './intern.ts'
import {
  type Endpoint,
  type EndpointHints,
  type EndpointPort,
  type EndpointSlice,
  type Kind,
  keyOf,
  type Namespace,
  NO_HINTS,
  type Node,
  type ObjectOf,
  type Pod,
} from './objects.ts'
import { PackedSlice } from './packed-slice.ts'
import { isAddress6, label, protocols, subdomain, trimAddress, trimMeta, trimNamed } from './trim-parts.ts'
import { trimService } from './trim-service.ts'

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
    clusterSearch:
      spec.text('dnsPolicy', 'ClusterFirst') === 'ClusterFirst' &&
      spec.child('dnsConfig').texts('searches').length === 0,
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

function nameOf(json: unknown): { namespace: string; name: string } {
  const { metadata } = (json ?? {}) as { metadata?: { name?: unknown; namespace?: unknown } | null }
  return { namespace: textOr(metadata?.namespace), name: textOr(metadata?.name) }
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
