/** Checks of what a name leads to: that it exists, that somebody is behind it, and that he listens where the service says. */
import type { ClusterView } from '../../cluster/contract.ts'
import { keyOf, type Pod, type Service, type ServicePort } from '../../cluster/objects.ts'
import type { DestinationFacts } from '../explain/destination.ts'
import type { Explained } from '../explain/explained.ts'
import { type Check, counted, type Examined, type Finding, fault, isMissing, kubectl, note, some } from './check.ts'
import type { World } from './world.ts'

export const nameCheck: Check = {
  name: 'name',
  examine({ target }) {
    if (isMissing(target)) return target
    const { walk, why, advice, verdict } = target
    if (target.ingress !== undefined || isHost(target)) return ingressExamined(target)
    // Where only strangers are asked for a name of the cluster, it is known that they do not know it.
    if (walk.outcome === 'unknown' && verdict !== 'not resolvable')
      return { missing: walk.unknown ?? 'it leaves the cluster' }
    const last = walk.steps.at(-1)
    if (walk.outcome !== 'found') {
      const asked = some(walk.steps.map(({ name, questions }) => `${name} (${questions[0]?.outcome ?? 'not asked'})`))
      const seen = `${target.target} has no address: ${why}`
      return { summary: '', findings: [fault(seen, `${target.from} asks for ${asked}`, advice, ['endpoints'])] }
    }
    const objects = last?.questions.flatMap(({ objects }) => objects) ?? []
    const by = objects.length > 0 ? `, of ${objects[0]}` : ''
    const captured = target.notes.find(text => text.startsWith('namespace ') && text.includes('captures the search'))
    const findings = captured === undefined ? [] : [fault(captured, 'the name of the outside is never asked for', [])]
    return { summary: `${last?.name ?? target.target} is ${some(walk.addresses, 3)}${by}`, findings }
  },
}

/** Whether it is a URL whose host the cluster does not know as a name. */
function isHost({ target, walk }: Explained): boolean {
  return target.includes('://') && walk.outcome !== 'found'
}

/** Of a host that Ingresses are for, their rules count, and the endpoints that controllers go to. */
function ingressExamined({ verdict, why, advice }: Explained): Examined {
  if (verdict === 'reachable') return { summary: why, findings: [] }
  const next = advice.length > 0 ? advice : ['kubectl get ingress -A']
  return { summary: '', findings: [fault(why, 'the controller answers with an error, or not at all', next)] }
}

export const endpointsCheck: Check = {
  name: 'endpoints',
  examine({ target }) {
    const found = destinationsOf(target)
    if (isMissing(found)) return found
    const findings = found
      .filter(({ outcome }) => outcome === 'no endpoint')
      .map(({ why, service }) => {
        const key = service?.split(':')[0]
        const show = key === undefined ? [] : [kubectl('describe service', key), ...slicesOf(key)]
        return fault(why, 'connections are refused, or time out', show)
      })
    const summary = found.map(
      ({ service, ip, backends }) => `${service ?? ip}: ${counted(backends.length, 'endpoint')}`,
    )
    return { summary: some(summary), findings }
  },
}

function slicesOf(key: string): string[] {
  const [namespace, name] = key.split('/')
  return [`kubectl -n ${namespace} get endpointslices -l kubernetes.io/service-name=${name}`]
}

/** Where the name leads inside of the cluster. */
function destinationsOf(
  target: Explained | { readonly missing: string },
): readonly DestinationFacts[] | { missing: string } {
  if (isMissing(target)) return target
  const found = target.destinations.filter(({ outcome }) => outcome !== 'outside')
  return found.length > 0 ? found : { missing: 'the name leads to no address of the cluster' }
}

export const targetPortCheck: Check = {
  name: 'target port',
  async examine(world) {
    const found = destinationsOf(world.target)
    if (isMissing(found)) return found
    const findings: Finding[] = []
    const summaries: string[] = []
    for (const destination of found) {
      const service = serviceOf(world.view, destination)
      const port = service?.ports.find(own => own.port === destination.port && own.protocol === destination.protocol)
      const refusals = await refusalsOf(world, destination)
      const mistake = service && port && mistakeOf(world, service, port, refusals)
      if (mistake !== undefined) findings.push(mistake)
      else findings.push(...refusals.map(({ address, pod, why }) => silent(address, pod, why)))
      const to = port === undefined ? destination.port : port.targetPort
      summaries.push(`${destination.service ?? destination.ip} port ${destination.port} leads to ${to}${opened(world)}`)
    }
    return { summary: some(summaries), findings }
  },
}

function opened({ network }: World): string {
  return isMissing(network) ? '' : ', which takes connections'
}

function silent(address: string, pod: string, why: string): Finding {
  const seen = `${address}${pod === '' ? '' : ` (pod ${pod})`} takes no connection: ${why}`
  const next = pod === '' ? [] : [kubectl('logs', pod), kubectl('get pod -o yaml', pod)]
  return fault(seen, 'it counts as ready, and connections to it fail', next)
}

function serviceOf(view: ClusterView, { service }: DestinationFacts): Service | undefined {
  const key = service?.split(':')[0]
  return key === undefined ? undefined : view.service(key)
}

interface Refusal {
  readonly address: string
  readonly pod: string
  readonly why: string
}

/** At most so many endpoints are tried. */
const most = 10

async function refusalsOf({ network }: World, { protocol, outcome, backends }: DestinationFacts): Promise<Refusal[]> {
  if (isMissing(network) || protocol !== 'TCP' || outcome !== 'reachable') return []
  const tried = backends.slice(0, most).map(async ({ address, pod }) => {
    const { host, port } = splitAddress(address)
    return { address, pod, why: await network.connect(host, port) }
  })
  return (await Promise.all(tried)).flatMap(({ why, ...rest }) => (why === undefined ? [] : [{ ...rest, why }]))
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

/** A target port that no container has. */
function mistakeOf(
  { view, network }: World,
  service: Service,
  { port, targetPort, protocol }: ServicePort,
  refusals: readonly Refusal[],
): Finding | undefined {
  const pods = podsOf(view, service)
  const lacking = pods.find(pod => !hasPort(pod, targetPort, protocol))
  if (lacking === undefined) return undefined
  const named = portsOf(lacking)
  const has = named.length === 0 ? 'they name no port' : `they have ${some(named.map(portText))}`
  const written = typeof targetPort === 'string' ? `"${targetPort}"` : targetPort
  const seen = `targetPort ${written} of port ${port} of service ${keyOf(service)} is no port of the containers of ${keyOf(lacking)}: ${has}`
  const next = [kubectl('edit service', keyOf(service)), kubectl('get pod -o yaml', keyOf(lacking))]
  const [refusal] = refusals
  if (typeof targetPort === 'string')
    return fault(seen, 'the service has no endpoint for this port, or none of this pod', next, ['endpoints'])
  if (refusal !== undefined)
    return fault(seen, `nothing listens there: ${refusal.address} says ${refusal.why}`, next, ['endpoints'])
  // Containers need not name their ports. Where they name some, another one is likely a mistake.
  if (named.length === 0) return undefined
  if (!isMissing(network) && protocol === 'TCP') return note(`${seen}; it takes connections all the same`)
  return fault(seen, 'connections reach the pod at a port that nothing is known to listen at', next)
}

function podsOf(view: ClusterView, { namespace, selector }: Service): Pod[] {
  const wanted = Object.entries(selector)
  if (wanted.length === 0) return []
  return [...view.list('Pod')].filter(
    pod =>
      pod.namespace === namespace &&
      pod.detail !== undefined &&
      wanted.every(([key, value]) => pod.labels[key] === value),
  )
}

function portsOf({ detail }: Pod) {
  return detail?.containers.flatMap(({ ports }) => ports) ?? []
}

function hasPort(pod: Pod, target: number | string, protocol: string): boolean {
  return portsOf(pod).some(own => own.protocol === protocol && (own.name === target || own.port === target))
}

function portText({ name, port, protocol }: { name: string; port: number; protocol: string }): string {
  return `${name === '' ? '' : `${name} `}${port}/${protocol}`
}
