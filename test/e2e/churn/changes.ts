/**
 * Changes of chance to objects of every kind: what is there one moment has gone the next, or is something else. Where the API server
 * refuses one (there is nothing to delete, the namespace is ending), another one takes its place.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Chance, chance } from '../../wire/random.ts'
import { type ApiClient, type ApiObject, ApiRefusal } from '../api-client.ts'
import { externalName, namespace, pod, service, slice } from '../objects.ts'

export const perSecond = 20
const writers = 8
/** The first is never deleted, and the others rarely: an end takes some seconds. */
export const namespaces = Array.from({ length: 8 }, (_, n) => `churn-${n}`)
export const serviceNames = Array.from({ length: 25 }, (_, n) => `svc-${n}`)
const podNames = Array.from({ length: 20 }, (_, n) => `pod-${n}`)
const portLists = [['http:80'], ['http:80', 'dns:53/UDP'], ['9000'], ['web:8080', 'http:80']]
/** A pod on a node is deleted with a namespace only when the node says so, and this one says nothing. */
const nodeSpace = namespaces[0]!
const node: ApiObject = { kind: 'Node', metadata: { name: 'churn-node' } }

export interface Changed {
  readonly taken: number
  readonly refused: number
}

/** Posts what the changes begin with. */
export async function prepareChurn(client: ApiClient): Promise<void> {
  await client.ensure(node)
  for (const name of namespaces) await client.ensure(namespace(name))
}

/** Changes the cluster until `signal` says so. Rejects when the API server fails. */
export async function churn(client: ApiClient, seed: number, signal: AbortSignal): Promise<Changed> {
  const dice = chance(seed)
  const start = performance.now()
  let [begun, taken, refused] = [0, 0, 0]
  const writer = async (): Promise<void> => {
    while (!signal.aborted) {
      const dueAt = start + (begun++ * 1000) / perSecond
      await sleep(Math.max(0, dueAt - performance.now()))
      while (!signal.aborted && !(await isTaken(change(client, dice)))) refused++
      if (!signal.aborted) taken++
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return { taken, refused }
}

async function isTaken(change: Promise<void>): Promise<boolean> {
  return change.then(
    () => true,
    error => {
      if (error instanceof ApiRefusal && error.status < 500) return false
      throw error
    },
  )
}

/** Each kind of change, as often as its number says, of a hundred. */
const changes: readonly (readonly [
  often: number,
  change: (client: ApiClient, dice: Chance, space: string) => Promise<void>,
])[] = [
  [1, endNamespace],
  [3, beginNamespace],
  [14, createService],
  [6, deleteService],
  [16, turnService],
  [10, changeService],
  [16, createSlice],
  [14, changeSlice],
  [4, deleteSlice],
  [8, createPod],
  [4, deletePod],
  [4, changePod],
]

async function change(client: ApiClient, dice: Chance): Promise<void> {
  let left = dice.below(changes.reduce((sum, [often]) => sum + often, 0))
  const [, chosen] = changes.find(([often]) => (left -= often) < 0)!
  await chosen(client, dice, dice.pick(namespaces))
}

async function endNamespace(client: ApiClient, dice: Chance): Promise<void> {
  await client.remove(namespace(dice.pick(namespaces.slice(1))))
}

async function beginNamespace(client: ApiClient, dice: Chance): Promise<void> {
  const gone: string[] = []
  for (const name of namespaces) if ((await client.read(namespace(name))) === undefined) gone.push(name)
  if (gone.length > 0) return client.create(namespace(dice.pick(gone)))
  const name = dice.pick(namespaces)
  await client.merge(namespace(name), { metadata: { labels: { team: `team-${dice.below(4)}` } } })
}

async function createService(client: ApiClient, dice: Chance, space: string): Promise<void> {
  const key = `${space}/${dice.pick(serviceNames)}`
  const ports = dice.pick(portLists)
  const dual = { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] }
  const kinds = [
    () => service(key, [], ports),
    () => service(key, [], ports, { spec: dual }),
    () => service(key, [], ports, { spec: { type: 'NodePort' } }),
    () => service(key, [], ports, { spec: { selector: { app: `app-${dice.below(3)}` } } }),
    () => service(key, 'None', ports, { spec: { selector: { app: `app-${dice.below(3)}` } } }),
    () => service(key, 'None', ports),
    () => service(key, 'None', ports, { spec: { publishNotReadyAddresses: true } }),
    () => externalName(key, `target-${dice.below(9)}.up.test`),
  ]
  await client.create(dice.pick(kinds)())
}

async function deleteService(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.remove(service(`${space}/${dice.pick(serviceNames)}`, [], []))
}

/** An external name becomes headless or gets an address; what has none or one becomes an external name. */
async function turnService(client: ApiClient, dice: Chance, space: string): Promise<void> {
  const target = service(`${space}/${dice.pick(serviceNames)}`, [], [])
  const spec = (await client.read(target))?.['spec'] as { type: string } | undefined
  if (spec === undefined) return createService(client, dice, space)
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
  const turned =
    spec.type === 'ExternalName'
      ? { type: 'ClusterIP', externalName: null, ports, ...(dice.below(2) === 0 ? { clusterIP: 'None' } : {}) }
      : { type: 'ExternalName', externalName: `target-${dice.below(9)}.up.test`, clusterIP: null, clusterIPs: null }
  await client.merge(target, { spec: turned })
}

async function changeService(client: ApiClient, dice: Chance, space: string): Promise<void> {
  const port = { name: `port-${dice.below(3)}`, port: 80 + dice.below(3), protocol: dice.pick(['TCP', 'UDP']) }
  const patches = [
    { spec: { ports: [port] } },
    { spec: { publishNotReadyAddresses: dice.below(2) === 0 } },
    { metadata: { labels: { app: `app-${dice.below(3)}` } } },
  ]
  await client.merge(service(`${space}/${dice.pick(serviceNames)}`, [], []), dice.pick(patches))
}

function sliceOf(dice: Chance, space: string): ApiObject {
  const six = dice.below(4) === 0
  const address = (): string => (six ? `fd00:c::${1 + dice.below(250)}` : `10.150.${dice.below(4)}.${dice.below(256)}`)
  const endpoints = Array.from({ length: dice.below(5) }, () => ({
    at: address(),
    conditions: { ready: dice.below(4) !== 0 },
    ...(dice.below(3) === 0 ? { hostname: `host-${dice.below(6)}` } : {}),
  }))
  return slice(`${space}/${dice.pick(serviceNames)}`, endpoints, dice.pick(portLists), {
    name: `${six ? 'six' : 'four'}-${dice.below(2)}`,
    addressType: six ? 'IPv6' : 'IPv4',
  })
}

async function createSlice(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.create(sliceOf(dice, space))
}

/** Other endpoints, and now and then another service. */
async function changeSlice(client: ApiClient, dice: Chance, space: string): Promise<void> {
  const { endpoints, ports, ...changed } = sliceOf(dice, space)
  const labels = dice.below(5) === 0 ? { labels: { 'kubernetes.io/service-name': dice.pick(serviceNames) } } : {}
  await client.merge(changed as ApiObject, { endpoints, ports, metadata: labels })
}

async function deleteSlice(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.remove(sliceOf(dice, space))
}

function podOf(dice: Chance, space: string): ApiObject {
  const phase = dice.pick(['Running', 'Running', 'Running', 'Pending', 'Succeeded'])
  const made = pod(`${space}/${dice.pick(podNames)}`, [`10.160.${dice.below(2)}.${dice.below(256)}`], {
    phase,
    labels: { app: `app-${dice.below(3)}` },
  })
  const conditions = [{ type: 'Ready', status: dice.below(3) === 0 ? 'False' : 'True' }]
  const status = { ...(made['status'] as object), conditions }
  const spec = made['spec'] as object
  return { ...made, status, spec: space === nodeSpace ? { ...spec, nodeName: node.metadata.name } : spec }
}

async function createPod(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.create(podOf(dice, space))
}

async function changePod(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.writeStatus(podOf(dice, space))
}

async function deletePod(client: ApiClient, dice: Chance, space: string): Promise<void> {
  await client.remove(podOf(dice, space))
}
