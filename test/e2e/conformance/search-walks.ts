/**
 * Asks both servers, with `autopath @kubernetes`, what pods ask on their way through a search list: from the pods' own addresses, which
 * are of the loopback network. Where portolan is not certain who asks, it has to answer as it does a stranger; everywhere else, as CoreDNS.
 */
import type { ApiClient, ApiObject } from '../api-client.ts'
import { Asker, type Reply } from '../asker.ts'
import { queryBytes, type TypeName, types } from '../message.ts'
import { pod } from '../objects.ts'
import { compare, type Difference, readReply } from './compare.ts'
import { type Program, type Site, startServer } from './servers.ts'
import type { Variant } from './variants.ts'

/** How CoreDNS treats a client: as a pod of this namespace, or as nobody. */
interface Client {
  readonly what: string
  readonly address: string
  /** Whose first domain it puts behind names. */
  readonly namespace: string
  /** Portolan answers as if it did not know the address. */
  readonly isUncertain?: boolean
  readonly pods: readonly ApiObject[]
}

const kept = ['portolan.test/keep']
const client = (what: string, namespace: string, host: number, ...pods: readonly ApiObject[]): Client => {
  const address = `127.10.0.${host}`
  return { what, namespace, address, pods: pods.length > 0 ? pods : [pod(`${namespace}/walker-${host}`, [address])] }
}
const uncertain = (what: string, host: number, ...pods: readonly ApiObject[]): Client => ({
  ...client(what, 'shop', host, ...pods),
  isUncertain: true,
})

const clients: readonly Client[] = [
  client('a pod of shop', 'shop', 1),
  client('a pod of hl', 'hl', 2),
  client('a pod of ext', 'ext', 3),
  client('a pod of an empty namespace', 'empty', 4),
  client('a pod of a namespace called svc', 'svc', 5),
  client('a pod of odd', 'odd', 6),
  client('a pod that starts', 'shop', 7, pod('shop/starting', ['127.10.0.7'], { phase: 'Pending' })),
  client('two pods of one namespace', 'shop', 8, pod('shop/one', ['127.10.0.8']), pod('shop/two', ['127.10.0.8'])),
  client('a pod that has ended', 'shop', 9, pod('shop/over', ['127.10.0.9'], { phase: 'Succeeded' })),
  client(
    'a pod whose address one of another namespace had',
    'shop',
    10,
    pod('shop/heir', ['127.10.0.10']),
    pod('hl/job', ['127.10.0.10'], { phase: 'Failed' }),
  ),
  client(
    'a pod with ndots of its own',
    'shop',
    11,
    pod('shop/dots', ['127.10.0.11'], { spec: { dnsConfig: { options: [{ name: 'ndots', value: '2' }] } } }),
  ),
  uncertain('a pod of the host', 20, pod('shop/host-net', ['127.10.0.20'], { hostNetwork: true })),
  uncertain('pods of two namespaces', 21, pod('shop/both-a', ['127.10.0.21']), pod('hl/both-b', ['127.10.0.21'])),
  uncertain(
    'a pod whose address one of another namespace gives away',
    22,
    pod('shop/next', ['127.10.0.22']),
    pod('hl/ending', ['127.10.0.22'], { finalizers: kept }),
  ),
  uncertain(
    'a pod with the search list of its node',
    23,
    pod('shop/node-dns', ['127.10.0.23'], { spec: { dnsPolicy: 'Default' } }),
  ),
  uncertain(
    'a pod with a search list of its own',
    24,
    pod('shop/own-dns', ['127.10.0.24'], { spec: { dnsConfig: { searches: ['up.test'] } } }),
  ),
]

/** Who is no pod. */
const STRANGER = '127.10.0.99'

/** As programs have them; the client's first domain follows. */
const bases = [
  ...[
    'web',
    'web.shop',
    'web.shop.svc',
    'web.shop.svc.cluster.local',
    'Web.Shop',
    'dual.shop',
    'six.shop',
    'idle.shop',
    'svc.pod',
  ],
  ...[
    'hn.hl',
    'h-0.hn.hl',
    'down.hl',
    'six.hl',
    'big.big',
    'www.ext',
    'www',
    'literal.ext',
    'inside.ext',
    'nx.ext',
    'chain-3.ext',
  ],
  ...[
    '_http._tcp.web.shop',
    '_http._tcp.hn.hl',
    '10-244-1-1.shop.pod',
    'kubernetes.default',
    'default',
    'shop',
    'svc',
    'dns-version',
  ],
  ...[
    'nosuch',
    'nosuch.shop',
    'a.b.c.d.e',
    'www.up.test',
    'alias.up.test',
    'txtonly.up.test',
    'nx.up.test',
    'servfail.up.test',
    'refused.up.test',
  ],
  '',
]
const kinds: readonly TypeName[] = ['SRV', 'TXT', 'MX', 'CNAME', 'HTTPS', 'SOA']

const variant: Variant = {
  name: 'autopath',
  probes: [
    ['five.shop.svc.cluster.local', 'A', 1],
    ['10-244-2-1.odd.pod.cluster.local', 'A', 1],
    ['www.up.test', 'A', 1],
  ],
  zones: ['cluster.local'],
  extra: [],
  ttlSlack: 2,
  synced: true,
  corefile: ({ port, kubeconfig, upstream }) => `.:${port} {
    autopath @kubernetes
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig ${kubeconfig}
        pods verified
        fallthrough in-addr.arpa ip6.arpa
    }
    cache 30
    forward . ${upstream}
}
`,
}

export interface Outcome {
  readonly asked: number
  readonly same: number
  /** How often each difference that is meant was met, by what it is. */
  readonly meant: ReadonlyMap<string, number>
  /** One line each. */
  readonly problems: readonly string[]
}

/** Makes the pods, asks, and takes them away again. */
export async function compareWalks(other: Program, site: Site, api: ApiClient): Promise<Outcome> {
  const pods = clients.flatMap(({ pods }) => pods)
  for (const each of pods) await api.create(each)
  const leaving = pods.filter(({ metadata }) => metadata.finalizers === kept)
  for (const each of leaving) await api.remove(each)
  try {
    await using a = await startServer('coredns', 'a', variant, site)
    await using b = await startServer(other, 'b', variant, site)
    return await compareAll(a.port, b.port, other)
  } finally {
    for (const each of leaving) await api.merge(each, { metadata: { finalizers: null } })
    for (const each of pods) await api.removeIfThere(each)
  }
}

async function compareAll(a: number, b: number, other: Program): Promise<Outcome> {
  using stranger = await Asker.open(b, STRANGER)
  const outcome = { asked: 0, same: 0, meant: new Map<string, number>(), problems: [] as string[] }
  for (const client of clients) {
    using left = await Asker.open(a, client.address)
    using right = await Asker.open(b, client.address)
    for (const [n, base] of bases.entries()) {
      for (const type of ['A', 'AAAA', kinds[n % kinds.length]!] as const) {
        const name = `${base}${base === '' ? '' : '.'}${client.namespace}.svc.cluster.local`
        const packet = queryBytes(name, types[type])
        const [theirs, ours] = await Promise.all([ask(left, packet), ask(right, packet)])
        outcome.asked++
        const differences = differing(theirs, ours)
        const plain = client.isUncertain && other === 'portolan' ? differing(await ask(stranger, packet), ours) : []
        for (const { kind, detail } of plain)
          outcome.problems.push(`${client.what}, ${name} ${type}: not as to a stranger: ${kind}: ${detail}`)
        if (differences.length === 0) outcome.same++
        else judge({ client, base, name, type, theirs, ours, differences }, outcome)
      }
    }
  }
  if (other !== 'portolan') return outcome
  const uncertain = clients.filter(({ isUncertain }) => isUncertain).map(({ what }) => what)
  for (const what of [...uncertain, ...Object.keys(otherCases)])
    if (!outcome.meant.has(what)) outcome.problems.push(`never met: ${what}`)
  return outcome
}

interface Found {
  readonly client: Client
  readonly base: string
  readonly name: string
  readonly type: TypeName
  readonly theirs: Reply
  readonly ours: Reply
  readonly differences: readonly Difference[]
}

/** What the plugin's manual says beside the clients that are not certain, and what the README says of all aliases and of the cache. */
const otherCases: Readonly<Record<string, (found: Found) => boolean>> = {
  "the namespace's own name": ({ base, theirs, ours }) => base === '' && rcode(theirs) === 2 && rcode(ours) !== 2,
  'one alias for an ExternalName': ({ theirs, ours }) => {
    const [first, again, ...rest] = answers(theirs)
    return first !== undefined && first === again && `${[again, ...rest]}` === `${answers(ours)}`
  },
  'an alias that leads nowhere is kept': ({ base, theirs, ours }) =>
    base.endsWith('.ext') &&
    [theirs, ours].every(reply => rcode(reply) === 0) &&
    answers(theirs).length === 0 &&
    answers(ours).every(answer => answer.includes(` ${types.CNAME} `)),
  'letter case of the question': ({ base, differences }) =>
    base !== base.toLowerCase() && differences.every(({ kind }) => kind === 'data-case' || kind === 'case'),
}

function judge(found: Found, outcome: Outcome & { readonly meant: Map<string, number>; readonly problems: string[] }) {
  const { client, name, type, differences } = found
  const known = Object.entries(otherCases).find(([, applies]) => applies(found))?.[0]
  const what = known ?? (client.isUncertain ? client.what : undefined)
  if (what !== undefined) outcome.meant.set(what, (outcome.meant.get(what) ?? 0) + 1)
  else
    outcome.problems.push(
      ...differences.map(({ kind, detail }) => `${client.what}, ${name} ${type}: ${kind}: ${detail.slice(0, 400)}`),
    )
}

const differing = (a: Reply, b: Reply): Difference[] => compare(a, b, { ttlSlack: variant.ttlSlack })

function ask(asker: Asker, packet: Buffer): Promise<Reply> {
  return asker.ask(packet, { transport: 'udp', waitMs: 6000, tries: 2 })
}

function rcode(reply: Reply): number | undefined {
  const message = readReply(reply)
  return typeof message === 'string' ? undefined : message.rcode
}

function answers(reply: Reply): string[] {
  const message = readReply(reply)
  if (typeof message === 'string') return []
  return message.sections.answer.map(({ owner, type, data }) => `${owner} ${type} ${data}`)
}
