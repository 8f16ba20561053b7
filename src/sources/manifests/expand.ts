/**
 * Workloads to pods: what the controllers of Deployments, ReplicaSets, StatefulSets and DaemonSets would create, without
 * addresses. A workload whose pods are in the folder too (an export of a running cluster) is left alone.
 */
import { Fields } from '../../cluster/fields.ts'
import { keyOf } from '../../cluster/objects.ts'
import { suffixes } from './allocate.ts'
import type { Problems } from './problems.ts'
import { type Item, ofKind } from './select.ts'

/** The pods of the folder, then those of its workloads, in order. */
export function expand(items: readonly Item[], problems: Problems): Item[] {
  const pods = ofKind(items, 'Pod')
  const present = new Set(items.map(({ kind, ...item }) => `${kind} ${keyOf(item)}`))
  const parents = new Set(pods.flatMap(pod => problems.attempt(pod, () => controllers(pod)) ?? []))
  const nodes = ofKind(items, 'Node').map(({ name }) => name)
  const replicas = ofKind(items, 'Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet').flatMap(workload => {
    const create = () => {
      const managed =
        parents.has(`${workload.kind} ${keyOf(workload)}`) || controllers(workload).some(name => present.has(name))
      return managed ? [] : replicasOf(workload, nodes)
    }
    return problems.attempt(workload, create) ?? []
  })
  return [...pods, ...replicas]
}

/** Kind and key of the controller, and of the Deployment behind a controlling ReplicaSet, which may be missing from an export. */
function controllers({ namespace, fields }: Item): string[] {
  const references = fields.child('metadata').children('ownerReferences')
  return references
    .filter(reference => reference.flag('controller'))
    .flatMap(reference => {
      const [kind, name] = [reference.text('kind', ''), reference.text('name', '')]
      const deployment = `Deployment ${namespace}/${name.slice(0, name.lastIndexOf('-'))}`
      return [`${kind} ${namespace}/${name}`, ...(kind === 'ReplicaSet' ? [deployment] : [])]
    })
}

interface Replica {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, string>>
}

function replicasOf(workload: Item, nodes: readonly string[]): Item[] {
  const template = workload.fields.child('spec').child('template')
  const labels = template.child('metadata').map('labels')
  const spec = template.child('spec').json
  return named(workload, nodes).map(({ name, ...own }) => {
    const metadata = { name, namespace: workload.namespace, labels: { ...labels, ...own.labels } }
    return {
      ...workload,
      apiVersion: 'v1',
      kind: 'Pod',
      name,
      fields: new Fields({ metadata, spec: { ...spec, ...own.spec } }),
    }
  })
}

function named(workload: Item, nodes: readonly string[]): Replica[] {
  const { kind, name } = workload
  const key = keyOf(workload)
  const spec = workload.fields.child('spec')
  if (kind === 'DaemonSet') {
    if (nodes.length === 0) return suffixed(name, [key]).map(name => ({ name }))
    return suffixed(
      name,
      nodes.map(node => `${key}/${node}`),
    ).map((name, index) => ({ name, spec: { nodeName: nodes[index]! } }))
  }
  // A number above this is a mistake rather than a workload.
  const indexes = Array.from({ length: spec.integer('replicas', 0, 65_535) ?? 1 }, (_, index) => index)
  if (kind === 'StatefulSet') {
    const start = spec.child('ordinals').integer('start', 0, 2 ** 31 - 1) ?? 0
    const subdomain = spec.text('serviceName', '')
    return indexes.map(index => {
      const hostname = `${name}-${start + index}`
      const labels = {
        'statefulset.kubernetes.io/pod-name': hostname,
        'apps.kubernetes.io/pod-index': `${start + index}`,
      }
      return { name: hostname, labels, spec: { hostname, subdomain } }
    })
  }
  const keys = indexes.map(index => `${key}/${index}`)
  if (kind === 'ReplicaSet') return suffixed(name, keys).map(name => ({ name }))
  const template = suffixes([key]).get(key)!
  return suffixed(`${name}-${template}`, keys).map(name => ({ name, labels: { 'pod-template-hash': template } }))
}

/** The prefix with an end for each key, as controllers name the pods they create. */
function suffixed(prefix: string, keys: readonly string[]): string[] {
  const ends = suffixes(keys)
  return keys.map(key => `${prefix}-${ends.get(key)}`)
}
