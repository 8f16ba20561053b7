/**
 * The law of the zone: updates leave what one rebuild makes, byte for byte, whatever the names are kept in; the serial moves when
 * an answer does; and what the answer table says of a name, without asking, is what the zone says.
 */
import fc from 'fast-check'
import t from 'tap'
import type { Changes, ClusterView, Projection } from '../../src/cluster/contract.ts'
import { parseSelector } from '../../src/cluster/labels.ts'
import { type ClusterObject, type Kind, keyOf } from '../../src/cluster/objects.ts'
import { PackedSlice } from '../../src/cluster/packed-slice.ts'
import { ClusterState } from '../../src/cluster/state.ts'
import type { ZoneSpace } from '../../src/table/contract.ts'
import { Verdict } from '../../src/table/layout.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { addressOctets, reverseName } from '../../src/wire/address.ts'
import type { Answer } from '../../src/wire/answer.ts'
import { isWithin, keyFromText, labelsOf, type NameKey, parentOf } from '../../src/wire/name.ts'
import { Type } from '../../src/wire/types.ts'
import { ClusterZones, type ZoneOptions } from '../../src/zone/cluster-zones.ts'
import type { External } from '../../src/zone/node.ts'
import { MemoryStore } from '../../src/zone/store.ts'
import { type EndpointSpec, kinds, namespace, pod, service, slice } from '../helpers/cluster.ts'
import { belowBits } from '../table/answering.ts'

const key = (text: string) => keyFromText(text)!
const origins = ['cluster.local', 'in-addr.arpa', 'other.test', 'ip6.arpa'].map(key)
const clusterIPs = ['10.96.0.1', '10.96.0.2', 'fd00:96::1', '10.0.0.1']
const endpointIPs = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::']
const namespaces = ['a', 'b']
const services = ['a/web', 'b/web', 'b/db']
const types = [Type.A, Type.AAAA, Type.SRV, Type.CNAME, Type.TXT, Type.PTR, Type.MX]

/** Objects of a universe so small that they meet. */
const name = fc.constantFrom(...services)
const labels = fc.constantFrom({}, { app: 'x' }, { app: 'y' })
const ports = fc.subarray(['http:80', 'HTTP2:81/UDP', '82', 'dns:53/UDP'], { maxLength: 3 })
const endpoint: fc.Arbitrary<EndpointSpec> = fc.record({
  ip: fc.constantFrom(...endpointIPs),
  hostname: fc.constantFrom('', '', 'one', 'two'),
  target: fc.constantFrom('', 'pod-1', 'with.dots'),
  ready: fc.constantFrom(true, true, false),
  zone: fc.constantFrom('', 'z1', 'Z2'),
})

const object: fc.Arbitrary<ClusterObject> = fc.oneof(
  fc.tuple(fc.constantFrom(...namespaces), labels).map(([name, labels]) => namespace(name, labels)),
  fc
    .tuple(name, fc.subarray(clusterIPs, { minLength: 1, maxLength: 2 }), ports, labels)
    .map(([name, ip, ports, labels]) => service(name, { ip, ports, labels })),
  fc.tuple(name, ports, labels).map(([name, ports, labels]) => service(name, { ip: 'None', ports, labels })),
  fc
    .tuple(name, fc.constantFrom('www.test', 'web.a.svc.cluster.local', '192.0.2.1'), ports)
    .map(([name, externalName, ports]) => service(name, { externalName, ports })),
  fc
    .tuple(name, fc.array(endpoint, { maxLength: 3 }), ports, labels, fc.constantFrom('s1', 's2'), fc.nat(9))
    .map(([of, endpoints, ports, labels, name, chance]) => {
      const unlabelled = chance === 0
      // The helper takes the type from the first address; here families may mix, as the zone does not ask.
      return mixed(of, endpoints, { ports, labels, name, unlabelled })
    }),
  fc
    .tuple(name, fc.constantFrom('s1', 's2'))
    .map(([of, name]) => slice(of, ['www.test', 'db.b.svc.cluster.local'], { name })),
  fc
    .tuple(
      name,
      fc.uniqueArray(fc.constantFrom(...endpointIPs), { maxLength: 2 }),
      fc.record({
        phase: fc.constantFrom('Running', 'Pending', 'Succeeded'),
        terminating: fc.boolean(),
        labels,
        node: fc.constantFrom('n1', 'n2'),
      }),
    )
    .map(([name, ips, spec]) => pod(name, ips, spec)),
)

function mixed(of: string, endpoints: readonly EndpointSpec[], spec: NonNullable<Parameters<typeof slice>[2]>) {
  const made = slice(of, [], spec)
  const single = endpoints.map(one => slice(of, [one], spec).endpoints[0]!)
  return new PackedSlice({ ...made, endpoints: single })
}

type Step =
  | { readonly do: 'upsert'; readonly object: ClusterObject }
  | { readonly do: 'remove'; readonly object: ClusterObject }
  | { readonly do: 'replace'; readonly kind: Kind; readonly pages: readonly (readonly ClusterObject[])[] }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: object.map(object => ({ do: 'upsert', object }) as const) },
  { weight: 2, arbitrary: object.map(object => ({ do: 'remove', object }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...kinds), fc.array(fc.array(object, { maxLength: 6 }), { maxLength: 2 }))
      .map(([kind, pages]) => ({
        do: 'replace' as const,
        kind,
        pages: pages.map(page => page.filter(object => object.kind === kind)),
      })),
  },
)

function take(state: ClusterState, step: Step): void {
  if (step.do === 'upsert') {
    state.upsert(step.object)
  } else if (step.do === 'remove') {
    state.remove(step.object.kind, keyOf(step.object))
  } else {
    const replacement = state.replace(step.kind)
    // So few that nothing is left to wait for.
    for (const page of step.pages) void replacement.page(page)
    void replacement.done()
  }
}

const options: fc.Arbitrary<Omit<ZoneOptions, 'now'>> = fc.record({
  origins: fc.constantFrom(
    origins,
    origins.toReversed(),
    ...[['ip6.arpa', 'in-addr.arpa', 'cluster.local'], ['.'], ['in-addr.arpa', '.']].map(texts => texts.map(key)),
  ),
  ttl: fc.constantFrom(0, 5),
  pods: fc.constantFrom('disabled', 'insecure', 'verified', 'verified'),
  endpointPodNames: fc.boolean(),
  ignoreEmptyService: fc.boolean(),
  noEndpoints: fc.constantFrom(false, false, false, false, true),
  zonal: fc.boolean(),
  namespaces: fc.constantFrom(new Set<string>(), new Set<string>(), new Set(['a'])),
  labels: fc.constantFrom(undefined, undefined, undefined, parseSelector('app=x')),
  namespaceLabels: fc.constantFrom(undefined, undefined, undefined, parseSelector('app!=y')),
  dnsNode: fc.boolean().map(exists => () => exists),
})

/** Names that no table lists, and some that do not exist. */
const rareNames: readonly string[] = [
  '',
  'nosuch.',
  ...namespaces.flatMap(namespace => [
    `${namespace}.svc.`,
    `${namespace}.pod.`,
    ...endpointIPs.map(address => `${address.replace(/[.:]/g, '-')}.${namespace}.pod.`),
    `x.10-0-0-2.${namespace}.pod.`,
    `nosuch.${namespace}.svc.`,
    ...services
      .filter(service => service.startsWith(`${namespace}/`))
      .map(service => service.slice(2))
      .flatMap(service =>
        [
          '',
          'one.',
          'two.',
          'pod-1.',
          '10-0-0-1.',
          '10-0-0-2.',
          'fd00--0.',
          'fd00--1.',
          'www-test.',
          'db-b-svc-cluster-local.',
          '_._tcp.',
          'http._.',
          '_http2._udp.',
          'z1.pin._zone.',
          'z2.pin._zone.',
          'z9.prefer._zone.',
        ].map(left => `${left}${service}.${namespace}.svc.`),
      ),
  ]),
]

/** Every name worth asking for: those in the tables, those that are made when asked, and those of addresses. */
function questions(...compared: readonly ClusterZones[]): [zone: number, key: NameKey][] {
  const [{ zones }] = compared as [ClusterZones]
  return zones.flatMap((zone, i) => {
    const keys = new Set<NameKey>(
      rareNames.map(left => `${left === '' ? '' : key(left).slice(0, -1)}${zone.origin}` as NameKey),
    )
    for (const { zones } of compared) for (const key of zones[i]!.keys()) keys.add(key as NameKey)
    for (const address of [...clusterIPs, ...endpointIPs]) {
      const name = reverseName(addressOctets(address)!)
      if (name.endsWith(zone.origin)) keys.add(name)
    }
    // A name is asked of the longest origin that holds it.
    const longer = zones.filter(other => other.origin.length > zone.origin.length)
    const own = [...keys].filter(key => !longer.some(other => isWithin(key, other.origin)))
    return own.map(key => [i, key] as [number, NameKey])
  })
}

/** One line for each question and answer. */
function answers(zones: ClusterZones, asked: readonly (readonly [number, NameKey])[]): string[] {
  return asked.flatMap(([i, key]) =>
    types.map(type => {
      return `${labelsOf(key).join('.')} ${type}: ${answerText(zones.find(zones.zones[i]!, key, type))}`
    }),
  )
}

function answerText(answer: Answer | External): string {
  return JSON.stringify(answer, (_name, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  )
}

function firstDifference(found: readonly string[], wanted: readonly string[]): string | undefined {
  const i = found.findIndex((line, i) => line !== wanted[i])
  return i < 0 ? undefined : `found ${found[i]}\nwanted ${wanted[i]}`
}

/** Many steps more often than few: what is asked for must first come to be. */
const steps = (most: number) => fc.array(step, { minLength: 1, maxLength: most, size: 'max' })

/** Both namespaces exist to begin with. */
function emptyState(): ClusterState {
  const state = new ClusterState({ kinds })
  for (const name of namespaces) state.upsert(namespace(name))
  return state
}

const seed = Date.now() % 2 ** 31

const table = new AnswerTable({ limit: 2 ** 26 })
/** Where the names are kept that are compared with a rebuild in ordinary memory. */
const stores = { memory: () => new MemoryStore(), table: () => table.zoneSpace() } as const

for (const [name, store] of Object.entries(stores))
  t.test(`updates leave what one rebuild makes: ${name}`, async t => {
    t.comment(`seed ${seed}`)
    const law = fc.property(options, steps(30), fc.nat(10), (options, steps, start) => {
      const state = emptyState()
      const followed = new ClusterZones({ ...options, now: () => 1, store })
      for (const [i, step] of steps.entries()) {
        if (i === start) state.follow(followed)
        take(state, step)
      }
      if (start >= steps.length) state.follow(followed)
      const rebuilt = new ClusterZones({ ...options, now: () => 1 })
      rebuilt.rebuild(state)
      const asked = questions(followed, rebuilt)
      const difference = firstDifference(answers(followed, asked), answers(rebuilt, asked))
      if (difference !== undefined) throw new Error(difference)
      followed.rebuild(emptyState())
      const fresh = new ClusterZones({ ...options, now: () => 1 })
      fresh.rebuild(emptyState())
      const rest = firstDifference(answers(followed, asked), answers(fresh, asked))
      if (rest !== undefined) throw new Error(`left of what was before: ${rest}`)
      followed.close()
    })
    t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 100 }))
  })

/** What answer threads say of a question from what stands in `space`, before they look whether the zone is closed. */
function published(space: ZoneSpace, origin: NameKey, key: NameKey, type: number): Answer | Verdict {
  const entry = space.get(key)
  if (entry !== undefined) {
    const known = entry.types.find(known => known.type === type)
    return known?.verdict === Verdict.ANSWER ? known.answer : (known?.verdict ?? entry.other)
  }
  let encloser = key
  for (let labels = 1; encloser !== origin; labels++) {
    encloser = parentOf(encloser)
    const above = space.get(encloser)
    if (above === undefined) continue
    if (above.below & belowBits(key, labels)) return Verdict.ASK
    return type === Type.SOA ? Verdict.NODATA : Verdict.NXDOMAIN
  }
  return Verdict.ASK
}

/** In front of each name that there is: what may stand for something, and what may not. */
const fronts = [
  '',
  'x',
  '_._',
  'http.tcp',
  '_http._tcp',
  '_tcp',
  'a.b',
  'z1.pin._zone',
  'pin._zone',
  'x.y.z',
  '10-0-0-1',
]

t.test('what is published is what the zone says', async t => {
  t.comment(`seed ${seed}`)
  const wild = fc.constantFrom('tcp', '_udp', '_', '_zone', 'one')
  const law = fc.property(options, steps(20), wild, (options, steps, hostname) => {
    const spaces: ZoneSpace[] = []
    const store = () => {
      const space = table.zoneSpace()
      spaces.push(space)
      return space
    }
    const zones = new ClusterZones({ ...options, now: () => 1, store })
    const state = emptyState()
    state.follow(zones)
    for (const step of steps) take(state, step)
    state.upsert(slice('a/web', [{ ip: '10.0.0.2', hostname }], { ports: ['http:80', 'dns:53/UDP'], name: 's9' }))
    for (const [i, { origin }] of zones.zones.entries()) {
      const names = new Set(questions(zones).flatMap(([of, key]) => (of === i ? key : [])))
      for (const name of [...names]) {
        for (const front of fronts) names.add((front === '' ? name : `${key(front).slice(0, -1)}${name}`) as NameKey)
      }
      for (const name of names) {
        // Another zone's, whose origin is longer.
        if (options.origins.some(other => other.length > origin.length && isWithin(name, other))) continue
        for (const type of [...types, Type.SOA]) check(zones, i, name, type, published(spaces[i]!, origin, name, type))
      }
    }
    zones.close()
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 25 }))
})

function check(zones: ClusterZones, i: number, name: NameKey, type: number, said: Answer | Verdict): void {
  const zone = zones.zones[i]!
  // Nobody looks at names for a SOA.
  const soa = name === zone.origin ? zone.soa() : zone.nodata(name.length)
  const found = type === Type.SOA ? soa : zones.find(zone, name, type)
  const wanted = {
    [Verdict.NODATA]: zone.nodata(name.length),
    [Verdict.NXDOMAIN]: zone.nxdomain(name.length),
    [Verdict.ASK]: found,
  }
  const claimed = typeof said === 'number' ? wanted[said as Exclude<Verdict, typeof Verdict.ANSWER>] : said
  if (answerText(found) !== answerText(claimed)) {
    throw new Error(`${labelsOf(name).join('.')} ${type}: published ${answerText(claimed)}, is ${answerText(found)}`)
  }
}

/** Follows a cluster twice and throws at a commit that moves the serial without changing an answer, or the other way round. */
class SerialCheck implements Projection {
  #now = 1
  readonly #zones: ClusterZones
  /** The same zones with a serial that stands still: what they answer is what may move it. */
  readonly #still: ClusterZones
  #asked: [zone: number, key: NameKey][] = []
  #before: string[] = []

  constructor(options: Omit<ZoneOptions, 'now'>) {
    this.#zones = new ClusterZones({ ...options, now: () => this.#now })
    this.#still = new ClusterZones({ ...options, now: () => 1 })
  }

  rebuild(view: ClusterView): void {
    this.#zones.rebuild(view)
    this.#still.rebuild(view)
    this.#asked = questions(this.#still)
    this.#before = answers(this.#still, this.#asked)
  }

  update(view: ClusterView, changes: Changes): void {
    const serial = this.#now++
    this.#zones.update(view, changes)
    this.#still.update(view, changes)
    const after = answers(this.#still, this.#asked)
    const difference = firstDifference(after, this.#before)
    // Names that are gone are asked for as well, so the questions only grow.
    const known = new Set(this.#asked.map(([, key]) => key))
    const fresh = questions(this.#still).filter(([, key]) => !known.has(key))
    const moved = this.#zones.zones.every(zone => zone.serial !== serial)
    const changed = difference !== undefined || fresh.length > 0
    if (changed !== moved) throw new Error(`${moved ? 'moved' : 'stood still'}: ${difference}, ${fresh}`)
    if (!moved) this.#now = serial
    this.#asked = [...this.#asked, ...fresh]
    this.#before = [...after, ...answers(this.#still, fresh)]
  }
}

t.test('the serial moves with answers, and only then', async t => {
  t.comment(`seed ${seed}`)
  const law = fc.property(options, steps(20), (options, steps) => {
    const state = emptyState()
    state.follow(new SerialCheck(options))
    for (const step of steps) take(state, step)
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 100 }))
})
