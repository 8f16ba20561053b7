import t from 'tap'
import { type Libc, type ResolverConfig, resolverConfig } from '../../../src/client/resolver/resolver-config.ts'

/** What is not as in an empty file. */
function read(text: string, libc: Libc = 'glibc', hostname = 'pod'): Partial<ResolverConfig> {
  const empty = resolverConfig('', libc)
  const entries = Object.entries(resolverConfig(text, libc, hostname))
  return Object.fromEntries(entries.filter(([name, value]) => `${value}` !== `${empty[name as keyof ResolverConfig]}`))
}

t.test('an empty file', async t => {
  for (const libc of ['glibc', 'musl'] as const)
    t.match(resolverConfig('', libc), { servers: ['127.0.0.1'], search: [], ndots: 1, timeoutSeconds: 5, attempts: 2 })
})

t.test('a keyword begins its line', async t => {
  for (const libc of ['glibc', 'musl'] as const) {
    t.strictSame(read(' nameserver 192.0.2.1\nNAMESERVER 192.0.2.2\nnameserver\t192.0.2.3 # x\n', libc), {
      servers: ['192.0.2.3'],
    })
    t.strictSame(read('nameserverx 192.0.2.1\n#nameserver 192.0.2.1\n; search a\n', libc), {})
  }
})

t.test('servers: addresses, three of them', async t => {
  const text = ['dns.test', '10.1', '192.0.2.2', 'fe80::1%eth0', '192.0.2.4']
    .map(server => `nameserver ${server}\n`)
    .join('')
  for (const libc of ['glibc', 'musl'] as const)
    t.strictSame(read(text, libc), { servers: ['10.0.0.1', '192.0.2.2', 'fe80::1%eth0'] })
})

t.test('search lists', async t => {
  t.strictSame(read('search a.test\tb.test \nsearch'), { search: ['a.test', 'b.test'] })
  t.strictSame(read('search a.test b.test\ndomain c.test d.test'), { search: ['c.test'] })
  t.strictSame(read('domain c.test d.test', 'musl'), { search: ['c.test', 'd.test'] })
  t.strictSame(read('search a.test\nsearch', 'musl'), {}, 'an empty one counts')
  t.strictSame(read(`search ${'x'.repeat(248)}`, 'musl'), {}, 'a long line does not')
  t.strictSame(read('', 'glibc', 'node.corp.test'), { search: ['corp.test'] })
  t.strictSame(read('', 'musl', 'node.corp.test'), {})
  const many = Array.from({ length: 32 }, (_, i) => `d${i}.test`)
  t.strictSame(read(`search ${many.join(' ')}`), { search: many })
  t.strictSame(read(`search ${many.join(' ')}`, 'glibc-2.25'), { search: many.slice(0, 6) })
  const long = many.slice(0, 6).map(name => `${'x'.repeat(60)}.${name}`)
  t.strictSame(read(`search ${long.join(' ')}`, 'glibc-2.25'), { search: long.slice(0, 3) })
})

t.test('numbers and their limits', async t => {
  t.strictSame(read('options ndots:3 timeout:2 attempts:4'), { ndots: 3, timeoutSeconds: 2, attempts: 4 })
  t.strictSame(read('options ndots:3\noptions timeout:2'), { ndots: 3, timeoutSeconds: 2 })
  t.strictSame(read('options ndots:99 timeout:99 attempts:99'), { ndots: 15, timeoutSeconds: 30, attempts: 5 })
  t.strictSame(read('options ndots:99 timeout:99 attempts:99', 'musl'), { ndots: 15, timeoutSeconds: 60, attempts: 10 })
  t.strictSame(read('options ndots:x attempts:0 timeout:-1'), { ndots: 0, attempts: 0, timeoutSeconds: -1 })
  t.strictSame(read('options ndots:-1'), { ndots: 15 })
  t.strictSame(read('options ndots:x attempts:0', 'musl'), { attempts: 1 })
  t.strictSame(read('options ndots:2 ndots:3', 'musl'), { ndots: 2 })
})

t.test('flags, told by their beginnings', async t => {
  t.strictSame(read('options single-request'), { singleRequest: true })
  t.strictSame(read('options single-request-reopen'), { singleRequestReopen: true })
  t.strictSame(read('options rotate use-vc edns0 trust-ad no-aaaa no_tld_query'), {
    rotate: true,
    useTcp: true,
    edns: true,
    trustAd: true,
    noAaaa: true,
    noTldQuery: true,
  })
  t.strictSame(read('options rotates inet6 debug'), { rotate: true })
  t.strictSame(read('options rotate use-vc single-request no-aaaa', 'musl'), {})
})
