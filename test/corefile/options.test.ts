import t from 'tap'
import { parseHostPort } from '../../src/corefile/addresses.ts'
import type { Directive } from '../../src/corefile/directive.ts'
import { parseDuration } from '../../src/corefile/duration.ts'
import { readOptions } from '../../src/corefile/options.ts'
import { parseCorefile } from '../../src/corefile/parser.ts'
import { keyFromText, type NameKey } from '../../src/wire/name.ts'
import { readPlugins } from './sample-plugins.ts'

function read(text: string): unknown {
  return readPlugins(parseCorefile(`example.org {\n${text}\n}`)[0]!)[0]
}

function directive(text: string): Directive {
  return parseCorefile(`.\n${text}`)[0]!.directives[0]!
}

const names = (...texts: string[]): NameKey[] => texts.map(text => keyFromText(text)!)

t.test('plugins read their directives', async t => {
  const table: [string, object][] = [
    ['cache', { ttl: 3600, zones: names('example.org'), disabled: {}, keepTtl: false }],
    ['cache 30', { ttl: 30, zones: names('example.org') }],
    ['cache 30 a.org 10.0.0.0/23', { ttl: 30, zones: names('a.org', '0.0.10.in-addr.arpa', '1.0.10.in-addr.arpa') }],
    ['cache A.org', { ttl: 3600, zones: names('a.org') }],
    ['cache {\nsuccess 1 2 3\n}', { capacity: 1, ttl: 2, minimum: 3 }],
    ['cache {\nsuccess 1\nkeepttl\n}', { capacity: 1, ttl: 3600, keepTtl: true }],
    ['cache {\nprefetch 5\n}', { prefetch: 5, within: 60_000, below: 10 }],
    ['cache {\nprefetch 5 1m30s 20%\n}', { prefetch: 5, within: 90_000, below: 20 }],
    ['cache {\nserve_stale\n}', { staleFor: 3600, refresh: 'immediate' }],
    ['cache {\nserve_stale 1h30m verify\n}', { staleFor: 5400, refresh: 'verify' }],
    [
      'cache {\ndisable success\ndisable denial a b\n}',
      { disabled: { success: names('example.org'), denial: names('a', 'b') } },
    ],
    ['forward . 192.0.2.1', { from: '\0', to: ['192.0.2.1'], forceTcp: false, except: [] }],
    [
      'forward 10.0.0.0/8 a b {\nforce_tcp\nexcept c\n}',
      { from: keyFromText('10.in-addr.arpa'), forceTcp: true, except: names('c') },
    ],
    ['forward . a {\ntls cert.pem /k.pem\n}', { tls: ['/etc/coredns/cert.pem', '/k.pem'] }],
    [
      'forward . a {\nhealth_check 1s no_rec domain B.org\n}',
      { check: 1000, recurse: false, domain: keyFromText('b.org') },
    ],
    ['health', { host: '', port: 8080, lameDuck: 0 }],
    ['health localhost:8091 {\nlameduck 5s\n}', { host: 'localhost', port: 8091, lameDuck: 5000 }],
    ['hosts', { file: '/etc/hosts', zones: names('example.org'), entries: [], through: undefined }],
    [
      'hosts h a.org {\n192.0.2.1 x y\n2001:db8::1 z\nfallthrough\n}',
      {
        file: '/etc/coredns/h',
        zones: names('a.org'),
        entries: [
          ['192.0.2.1', 'x', 'y'],
          ['2001:db8::1', 'z'],
        ],
        through: names('.'),
      },
    ],
    ['hosts {\nfallthrough in-addr.arpa\n}', { through: names('in-addr.arpa') }],
  ]
  for (const [text, expected] of table) t.match(read(text), expected, text)
})

t.test('errors name the plugin, the option and the argument', async t => {
  const table: [string, (directive: Directive) => unknown, string][] = [
    ['p', d => d.integer({ name: 'ttl' }), '2:1: p: p needs its ttl'],
    ['p', d => d.text(), '2:1: p: p needs an argument'],
    ['p', d => d.zones(), '2:1: p: p needs its zones'],
    ['p 1', d => d.rest({ name: 'upstreams', min: 2 }), '2:1: p: p needs its upstreams'],
    ['p x', d => d.integer(), '2:3: p: the argument must be a whole number, got "x"'],
    ['p 1.5', d => d.integer({ name: 'ttl' }), '2:3: p: ttl must be a whole number, got "1.5"'],
    ['p 4', d => d.integer({ name: 'n', min: 5 }), '2:3: p: n must be at least 5, got "4"'],
    ['p -1', d => d.ttl({ name: 'ttl' }), '2:3: p: ttl must not be negative, got "-1"'],
    ['p 2147483648', d => d.ttl({ name: 'ttl' }), '2:3: p: ttl must be at most 2147483647, got "2147483648"'],
    ['p 10ms', d => d.milliseconds({ name: 'wait', min: 1500 }), '2:3: p: wait must be at least 1500ms, got "10ms"'],
    ['p 3m', d => d.seconds({ name: 'wait', max: 120 }), '2:3: p: wait must be at most 120s, got "3m"'],
    ['p 1x', d => d.seconds({ name: 'wait' }), '2:3: p: wait must be a duration such as 500ms, 5s or 1h30m, got "1x"'],
    ['p far', d => d.oneOf(['a', 'b'], { name: 'mode' }), '2:3: p: mode must be "a" or "b", got "far"'],
    [
      'p "a\nb"',
      d => d.address(53),
      String.raw`2:3: p: the argument must be an address such as 127.0.0.1:53, got "a\x0ab"`,
    ],
    ['p ""', d => d.path('/'), '2:3: p: the argument must name a file, got ""'],
    [
      'p {\nq x\n}',
      d => readOptions(d, { q: o => o.integer({ name: 'q' }) }),
      '3:3: p: q must be a whole number, got "x"',
    ],
    ['p {\nconstructor\n}', d => readOptions(d), '3:1: p: unknown option "constructor"'],
    ['p a', d => readOptions(d), '2:3: p: unexpected argument "a" for p'],
    ['p {\n}', d => d.end(), '2:1: p: p takes no block'],
  ]
  for (const [text, action, expected] of table) {
    const error = { code: 'PORTOLAN_COREFILE_OPTION', message: `Corefile:${expected}` }
    t.throws(() => action(directive(text)), error, text)
  }
  const cause = new Error('why')
  t.match(directive('p a').error('no', undefined, cause), { message: 'Corefile:2:1: p: no', cause, at: { line: 2 } })
})

t.test('defaults stand in for arguments that are not there', async t => {
  const d = directive('p 7')
  t.equal(d.integer({ default: 1 }), 7)
  t.equal(d.more, false)
  t.equal(d.peek, undefined)
  t.equal(d.integer({ default: -1, min: 0 }), -1)
  t.equal(d.text({ default: '' }), '')
  t.equal(d.milliseconds({ default: 5 }), 5)
  t.equal(d.oneOf(['a', 'b'], { default: 'b' }), 'b')
  t.strictSame(d.address(53, { default: { host: 'h', port: 1 } }), { host: 'h', port: 1 })
  t.strictSame(d.zones([]), [])
})

t.test('durations', async t => {
  const table: [string, number | undefined][] = [
    ['0', 0],
    ['+0', 0],
    ['5s', 5000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5m', 30_000],
    ['1.s', 1000],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['250μs', 0.25],
    ['1000000ns', 1],
    ['1h1m1s1ms', 3_661_001],
    ['-2s', -2000],
    ['+2s', 2000],
    ['', undefined],
    ['-', undefined],
    ['5', undefined],
    ['s', undefined],
    ['.s', undefined],
    ['5 s', undefined],
    ['5S', undefined],
    ['1d', undefined],
    ['1s2', undefined],
    ['--1s', undefined],
  ]
  for (const [text, expected] of table) t.equal(parseDuration(text), expected, text)
})

t.test('hosts with ports', async t => {
  const table: [string, string | undefined][] = [
    [':8080', ' 8080'],
    ['localhost:1', 'localhost 1'],
    ['192.0.2.1:53', '192.0.2.1 53'],
    ['[::1]:53', '::1 53'],
    ['[::1]', '::1 99'],
    ['::1', '::1 99'],
    ['192.0.2.1', '192.0.2.1 99'],
    ['localhost', 'localhost 99'],
    ['', undefined],
    ['a:', undefined],
    ['a:b', undefined],
    ['a:65536', undefined],
    ['[::1', undefined],
    ['[::1]:x', undefined],
  ]
  for (const [text, expected] of table) {
    const result = parseHostPort(text, 99)
    t.equal(result && `${result.host} ${result.port}`, expected, text)
  }
  t.equal(parseHostPort('localhost'), undefined)
  t.equal(parseHostPort('[::1]'), undefined)
})
