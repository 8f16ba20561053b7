/** Corefiles that are worth comparing: every plugin before `kubernetes`, every mode of it, and every way to divide names among blocks. */
import type { PluginDefinition } from '../../src/plugin/plugin.ts'
import { REFUSED } from '../../src/wire/answer.ts'
import { Type } from '../../src/wire/types.ts'
import type { Chance } from '../wire/random.ts'

const PODS = ['disabled', 'insecure', 'verified']
const FALLTHROUGH = [
  '',
  'fallthrough',
  'fallthrough in-addr.arpa ip6.arpa',
  'fallthrough shop.svc.cluster.local 10.in-addr.arpa test',
]
const MORE = [
  '',
  'ttl 0',
  'ttl 3600',
  'zonal',
  'endpoint_pod_names',
  'noendpoints',
  'ignore empty_service',
  'namespaces shop',
]

/** Lines before `kubernetes`, by what they are called; `HOSTS` and `RESOLV_CONF` stand for files. */
const BEFORE: Readonly<Record<string, string>> = {
  nothing: '',
  cache: 'cache 30',
  'cache of some': 'cache 20 svc.cluster.local test {\n success 100 10 7\n denial 100 15 5\n}',
  'cache of failures': 'cache {\n servfail 30s\n disable denial up.test\n}',
  'stale cache': 'cache 5 {\n serve_stale 20s\n}',
  'positive cache': 'cache 8 {\n serve_stale 1m verify\n serve_stale_policy prefer_positive\n}',
  'prefetching cache': 'cache 10 {\n prefetch 2 1m 50%\n}',
  'cache that keeps times': 'cache {\n keepttl\n}',
  metrics: 'prometheus localhost:0\n cache',
  errors: 'errors\n cache',
  log: 'log\n cache',
  'log of denials': 'log . {\n class denial\n}\n cache 60',
  'log of answers': 'log svc.cluster.local up.test {\n class success\n}\n log . {\n class error\n}\n cache',
  'small replies': 'bufsize 600\n cache',
  'any order': 'loadbalance\n cache',
  'preferred order': 'loadbalance round_robin {\n prefer 10.0.0.0/24\n}\n cache',
  hosts: 'cache\n hosts HOSTS {\n fallthrough\n}',
  'hosts alone': 'hosts HOSTS svc.cluster.local in-addr.arpa up.test {\n fallthrough svc.cluster.local\n}\n cache',
  'hosts in the Corefile':
    'cache\n hosts HOSTS cluster.local {\n 10.0.0.9 pin.shop.svc.cluster.local\n 10.0.0.9 *.data.svc.cluster.local\n fallthrough\n}',
  'search lists': 'autopath @kubernetes\n cache',
  'search lists of some names': 'autopath shop.svc.cluster.local two.test @kubernetes\n log . {\n class denial\n}',
  'search lists and hosts':
    'errors\n prometheus localhost:0\n autopath @kubernetes\n cache {\n serve_stale 20s\n}\n hosts HOSTS {\n fallthrough\n}',
  'search misses': 'top localhost:0\n prometheus localhost:0\n cache',
  'search misses beside search lists': 'top localhost:0\n autopath @kubernetes\n loadbalance\n cache 20',
  'a search list for all': 'autopath RESOLV_CONF\n cache 30',
  'a stranger before the cache': 'stranger\n cache',
  'a stranger behind the cache': 'cache\n lodger',
  all: 'errors\n prometheus localhost:0\n log . {\n class denial\n}\n bufsize 1232\n loadbalance\n cache 30\n hosts HOSTS {\n fallthrough\n}',
}

const ORIGINS = 'cluster.local in-addr.arpa ip6.arpa'

/** A Corefile made of the lines before, those of `kubernetes` for some origins, and what stands behind. */
type Shape = (before: string, kubernetes: (origins: string) => string) => string

const SHAPES: Readonly<Record<string, Shape>> = {
  'one block': (before, kubernetes) => `.:53 {\n ${before}\n ${kubernetes(ORIGINS)}\n forward . up\n}\n`,
  'nothing behind': (before, kubernetes) => `.:53 {\n ${before}\n ${kubernetes('cluster.local')}\n}\n`,
  'stub domain': (before, kubernetes) =>
    `.:53 {\n ${before}\n ${kubernetes(ORIGINS)}\n forward . up\n}\nshop.svc.cluster.local:53 {\n forward . up\n}\ndata.svc.cluster.local:53 {\n cache 10\n forward . up\n}\n`,
  'two zones': (before, kubernetes) =>
    `.:53 {\n ${before}\n ${kubernetes('cluster.local two.test svc.two.test 10.in-addr.arpa in-addr.arpa')}\n forward . up\n}\n`,
  'two blocks': (before, kubernetes) =>
    `.:53 {\n ${before}\n ${kubernetes(ORIGINS)}\n forward . up\n}\ncluster.local:54 {\n ${kubernetes('cluster.local')}\n}\n`,
  'a block of its own': (before, kubernetes) =>
    `cluster.local svc.cluster.local:53 {\n ${before}\n ${kubernetes('cluster.local')}\n}\ntest:53 {\n cache\n forward . up\n}\n`,
  'the root': (before, kubernetes) => `.:53 {\n ${before}\n ${kubernetes('.')}\n forward . up\n}\n`,
  'the root and more': (before, kubernetes) =>
    `.:53 {\n ${before}\n ${kubernetes('cluster.local . 10.in-addr.arpa')}\n}\n`,
  'two addresses': (before, kubernetes) =>
    `.:53 {\n bind 127.0.0.1 127.0.0.2\n ${before}\n ${kubernetes(ORIGINS)}\n forward . up\n}\n`,
}

export interface Variant {
  readonly name: string
  readonly corefile: string
  /** Whether names of the zone that do not exist may be answered from the table. */
  readonly isPlain: boolean
}

/** Paths of the files that the Corefiles name. */
export interface Files {
  readonly hosts: string
  readonly resolvConf: string
}

/** The nth of all, which differ in lines and shape; the rest is left to chance. */
export function variant(n: number, { below, pick }: Chance, files: Files): Variant {
  const befores = Object.keys(BEFORE)
  const shapes = Object.keys(SHAPES)
  const before = befores[n % befores.length]!
  const shape = shapes[n % shapes.length]!
  const pods = before.startsWith('search lists') && below(4) > 0 ? 'verified' : pick(PODS)
  const fallthrough = pick(FALLTHROUGH)
  const more = below(3) === 0 ? pick(MORE) : ''
  const kubernetes = (origins: string) => `kubernetes ${origins} {\n pods ${pods}\n ${fallthrough}\n ${more}\n}`
  return {
    name: [shape, before, `pods ${pods}`, fallthrough, more].filter(part => part !== '').join(', '),
    corefile: SHAPES[shape]!(BEFORE[before]!, kubernetes)
      .replaceAll('HOSTS', files.hosts)
      .replaceAll('RESOLV_CONF', files.resolvConf),
    isPlain: ['nothing', 'cache', 'errors', 'any order', 'metrics', 'small replies'].includes(before),
  }
}

/** After as many, each line before `kubernetes` was seen in each shape. */
export const VARIANTS = Object.keys(BEFORE).length * Object.keys(SHAPES).length

/** The search list that they name, which is also the servers' own. */
export const RESOLV_CONF = 'search shop.svc.cluster.local data.svc.cluster.local up.test\n'

/** The hosts file that they name. */
export const HOSTS_FILE = `
10.0.0.77 web.shop.svc.cluster.local host.up.test alone.test
10.96.0.1 Named.shop.svc.cluster.local
fd00::77 six.cluster.local
10.0.0.78 *.wild.up.test *.kube-system.svc.cluster.local
`

/** Plugins that say nothing of themselves: they refuse some clients, and some types. */
export const strangers: readonly PluginDefinition[] = ['stranger', 'lodger'].map(name => ({
  name,
  setup: () => ({
    name,
    handle: (query, next) =>
      query.peer.address.includes(':') || query.type === Type.SRV ? { answer: REFUSED, plugin: name } : next(query),
  }),
}))
