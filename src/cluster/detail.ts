/**
 * What is kept of objects only where a source is told to (`detail`): what it takes to explain why something does not work. Names and
 * routes need none of it, and a server that gives only those does not pay for it.
 */
import type { Fields } from './fields.ts'
import { intern } from './intern.ts'
import type { Protocol } from './objects.ts'
import { protocols } from './trim-parts.ts'

/** Times are in milliseconds since the epoch, 0 where the object does not say. */
export interface Detail {
  /** Empty where there is none, as in a manifest. */
  readonly resourceVersion: string
  readonly createdAt: number
}

export interface PodDetail extends Detail {
  /** When the kubelet took it. */
  readonly startedAt: number
  /** Whether the kubelet tells its containers the services of its namespace. */
  readonly enableServiceLinks: boolean
  /** The containers that run as long as the pod does: sidecars stand behind the others. */
  readonly containers: readonly Container[]
  /** Undefined where the kubelet has not said. */
  readonly readiness: Readiness | undefined
}

export interface Container {
  readonly name: string
  readonly ports: readonly ContainerPort[]
  readonly ready: boolean
  /** Of this run; 0 where it does not run. */
  readonly startedAt: number
  /** Why it does not run (`CrashLoopBackOff`, `ImagePullBackOff`, `Completed`); empty where it does, or nobody has said. */
  readonly problem: string
}

export interface ContainerPort {
  /** Empty for an unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** 0 where there is none. */
  readonly hostPort: number
  /** Empty for all addresses of the node. */
  readonly hostIP: string
}

/** The Ready condition of a pod. */
export interface Readiness {
  readonly ready: boolean
  readonly reason: string
  readonly message: string
  /** Since when it is so. */
  readonly since: number
}

export interface NodeDetail extends Detail {
  /** Those of network plugins. */
  readonly annotations: Readonly<Record<string, string>>
  /** The reason of the NetworkUnavailable condition, such as `FlannelIsUp` or `RouteCreated`; empty where there is none. */
  readonly networkReason: string
}

export function trimDetail(json: Fields): Detail {
  const meta = json.child('metadata')
  return { resourceVersion: meta.text('resourceVersion', ''), createdAt: timeOf(meta, 'creationTimestamp') }
}

export function trimPodDetail(json: Fields): PodDetail {
  const spec = json.child('spec')
  const status = json.child('status')
  const statuses = [...status.children('containerStatuses'), ...status.children('initContainerStatuses')]
  const byName = new Map(statuses.map(entry => [entry.text('name', ''), entry]))
  return {
    ...trimDetail(json),
    startedAt: timeOf(status, 'startTime'),
    enableServiceLinks: spec.flag('enableServiceLinks') ?? true,
    containers: lastingContainers(spec).map(container => trimContainer(container, byName)),
    readiness: status.children('conditions').filter(isOfType('Ready')).map(trimReadiness)[0],
  }
}

/** Sidecars (init containers that are always restarted) serve ports too, after those of the main containers. */
export function lastingContainers(spec: Fields): Fields[] {
  const sidecars = spec.children('initContainers').filter(container => container.text('restartPolicy') === 'Always')
  return [...spec.children('containers'), ...sidecars]
}

function trimContainer(json: Fields, statuses: ReadonlyMap<string, Fields>): Container {
  const name = json.text('name', '')
  const status = statuses.get(name)
  const state = status?.child('state')
  const stopped = state?.has('waiting') ? state.child('waiting') : state?.child('terminated')
  return {
    name: intern(name),
    ports: json.children('ports').map(trimContainerPort),
    ready: status?.flag('ready') ?? false,
    startedAt: state === undefined ? 0 : timeOf(state.child('running'), 'startedAt'),
    problem: intern(stopped?.text('reason', '') ?? ''),
  }
}

export function trimContainerPort(json: Fields): ContainerPort {
  return {
    name: intern(json.text('name', '')),
    protocol: json.oneOf('protocol', protocols, 'TCP'),
    port: json.integer('containerPort', 1, 65_535) ?? json.refuse('containerPort', 'a port number'),
    hostPort: json.integer('hostPort', 0, 65_535) ?? 0,
    hostIP: json.text('hostIP', ''),
  }
}

function trimReadiness(json: Fields): Readiness {
  return {
    ready: json.text('status') === 'True',
    reason: intern(json.text('reason', '')),
    message: json.text('message', ''),
    since: timeOf(json, 'lastTransitionTime'),
  }
}

/** Annotations by which network plugins tell each other how a node is reached. */
const networkPlugins = ['flannel.alpha.coreos.com/', 'projectcalico.org/', 'network.cilium.io/', 'io.cilium.network.']

export function trimNodeDetail(json: Fields): NodeDetail {
  const annotations = Object.entries(json.child('metadata').map('annotations'))
  const [network] = json.child('status').children('conditions').filter(isOfType('NetworkUnavailable'))
  return {
    ...trimDetail(json),
    annotations: Object.fromEntries(
      annotations.filter(([key]) => networkPlugins.some(prefix => key.startsWith(prefix))),
    ),
    networkReason: network?.text('reason', '') ?? '',
  }
}

function isOfType(type: string): (condition: Fields) => boolean {
  return condition => condition.text('type') === type
}

/** What is no time counts as none: it is for explanations only. */
function timeOf(json: Fields, field: string): number {
  return Date.parse(json.text(field, '')) || 0
}
