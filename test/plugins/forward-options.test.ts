import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parseCorefile } from '../../src/corefile/parser.ts'
import { type ForwardOptions, readForwardOptions } from '../../src/plugins/forward/options.ts'
import { textFromKey } from '../../src/wire/name.ts'

const tls = fileURLToPath(new URL('../fixtures/tls/', import.meta.url))

function read(args: string, options = '', directory = tls): ForwardOptions {
  const [block] = parseCorefile(`. {\nforward ${args} {\n${options}\n}\n}`)
  return readForwardOptions(block!.directives[0]!, directory)
}

t.test('defaults are those of CoreDNS', async t => {
  const { from, to, ...rest } = read('. 127.0.0.1')
  t.strictSame(from.map(textFromKey), ['.'])
  t.strictSame(to, [{ transport: 'dns', host: '127.0.0.1', port: 53, serverName: undefined }])
  t.strictSame(rest, {
    except: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdle: 0,
    readTimeoutMs: 2_000,
    maxFails: 2,
    maxConnectAttempts: undefined,
    dohMethod: 'POST',
    policy: 'random',
    healthCheckMs: 500,
    healthCheckRecursion: true,
    healthCheckDomain: '\0',
    maxConcurrent: 0,
    nextRcodes: new Set(),
    nextOnNodata: false,
    failover: new Set(),
    failfast: false,
    tls: {},
    tlsServerName: undefined,
    sourceAddress: undefined,
    resolvers: [],
  })
})

t.test('FROM', async t => {
  const zones = (from: string) => read(`${from} 127.0.0.1`).from.map(textFromKey)
  t.strictSame(zones('Example.ORG'), ['example.org.'])
  t.strictSame(zones('dns://example.org:53'), ['example.org.'])
  t.strictSame(zones('10.0.0.0/8'), ['10.in-addr.arpa.'])
  t.equal(zones('10.9.3.0/18').length, 64)
})

t.test('every option of CoreDNS 1.15, with the values that it takes', async t => {
  const accepted: readonly [string, Partial<Record<keyof ForwardOptions, unknown>>][] = [
    ['except a.org b.org', { except: ['\x01a\x03org\0', '\x01b\x03org\0'] }],
    ['except a.org\nexcept b.org', { except: ['\x01a\x03org\0', '\x01b\x03org\0'] }],
    ['force_tcp', { forceTcp: true }],
    ['prefer_udp', { preferUdp: true }],
    ['force_tcp\nprefer_udp', { forceTcp: true, preferUdp: true }],
    ['expire 5s', { expireMs: 5_000 }],
    ['expire 0s', { expireMs: 0 }],
    ['max_age 30s', { maxAgeMs: 30_000 }],
    ['max_age 10s', { maxAgeMs: 10_000 }],
    ['max_age 0s', { maxAgeMs: 0 }],
    ['max_idle_conns 3', { maxIdle: 3 }],
    ['read_timeout 500ms', { readTimeoutMs: 500 }],
    ['max_fails 0', { maxFails: 0 }],
    ['max_connect_attempts 0', { maxConnectAttempts: 0 }],
    ['max_connect_attempts 5', { maxConnectAttempts: 5 }],
    ['doh_method GET', { dohMethod: 'GET' }],
    ['doh_method POST', { dohMethod: 'POST' }],
    ['tls', { tls: {} }],
    ['tls_servername dns.quad9.net', { tlsServerName: 'dns.quad9.net' }],
    ['policy random', { policy: 'random' }],
    ['policy round_robin', { policy: 'round_robin' }],
    ['policy sequential', { policy: 'sequential' }],
    ['health_check 1s', { healthCheckMs: 1_000, healthCheckRecursion: true }],
    ['health_check 0', { healthCheckMs: 0 }],
    [
      'health_check 0.5s no_rec domain Example.org',
      { healthCheckRecursion: false, healthCheckDomain: '\x07example\x03org\0' },
    ],
    [
      'health_check 0.5s domain example.org no_rec',
      { healthCheckRecursion: false, healthCheckDomain: '\x07example\x03org\0' },
    ],
    ['max_concurrent 1000', { maxConcurrent: 1000 }],
    ['max_concurrent 0', { maxConcurrent: 0 }],
    ['next nxdomain SERVFAIL\nnext NOERROR', { nextRcodes: new Set([3, 2, 0]) }],
    ['next NOTIMP NOTIMPL DSOTYPENI BADSIG', { nextRcodes: new Set([4, 11, 16]) }],
    ['next_on_nodata', { nextOnNodata: true }],
    ['failfast_all_unhealthy_upstreams', { failfast: true }],
    ['failover SERVFAIL refused', { failover: new Set([2, 5]) }],
    [
      'resolver 1.1.1.1 1.1.1.1:54 ::1 [::1]:55',
      {
        resolvers: [
          { address: '1.1.1.1', port: 53 },
          { address: '1.1.1.1', port: 54 },
          { address: '::1', port: 53 },
          { address: '::1', port: 55 },
        ],
      },
    ],
    ['source_address 127.0.0.1', { sourceAddress: '127.0.0.1' }],
    ['source_address ::1', { sourceAddress: '::1' }],
  ]
  for (const [text, expected] of accepted) t.match(read('. 127.0.0.1', text), expected, text)
})

t.test('what CoreDNS refuses is refused, at its place', async t => {
  const refused: readonly [string, RegExp][] = [
    ['blaatl', /^Corefile:3:1: forward: unknown option "blaatl"/],
    ['max_fail 3', /did you mean "max_fails"/],
    ['except', /^Corefile:3:1: forward: except needs its zones/],
    ['except a..org', /^Corefile:3:8: forward: "a\.\.org" is not a domain name/],
    ['force_tcp yes', /^Corefile:3:11: forward: unexpected argument "yes"/],
    ['prefer_udp yes', /unexpected argument/],
    ['expire', /needs an argument/],
    ['expire 5', /must be a duration/],
    ['expire -1s', /must not be negative/],
    ['max_age -1s', /must not be negative/],
    ['max_age 5s', /^Corefile:3:9: forward: max_age \(5s\) must not be less than expire \(10s\)/],
    ['max_idle_conns -3', /must not be negative/],
    ['max_idle_conns x', /whole number/],
    ['read_timeout', /needs an argument/],
    ['read_timeout 0s', /above 0/],
    ['read_timeout -4s', /above 0/],
    ['max_fails', /needs an argument/],
    ['max_fails -1', /must not be negative/],
    ['max_fails 4294967296', /at most 4294967295/],
    ['max_fails 2 3', /unexpected argument "3"/],
    ['max_connect_attempts -5', /must not be negative/],
    ['doh_method PUT', /must be "GET" or "POST"/],
    ['doh_method get', /must be "GET" or "POST"/],
    ['tls /nonexistent.pem', /^Corefile:3:5: forward: cannot read \/nonexistent.pem: ENOENT/],
    ['tls a b', /cannot read .*\/a: ENOENT/],
    ['tls a b c d', /^Corefile:3:11: forward: unexpected argument "d"|cannot read/],
    ['tls server.key', /^Corefile:3:5: forward: cannot use .*server.key for TLS/],
    ['tls client-a.crt client-b.key', /for TLS: .*key values mismatch/],
    ['tls_servername', /needs an argument/],
    ['policy', /needs an argument/],
    ['policy best', /must be "random" or "round_robin" or "sequential"/],
    ['health_check', /needs its duration/],
    ['health_check 5', /must be a duration/],
    ['health_check -1s', /must not be negative/],
    ['health_check 1s domain', /needs its domain/],
    ['health_check 1s domain a..b', /must be a domain name/],
    ['health_check 1s rec', /must be "no_rec" or "domain"/],
    ['max_concurrent -1', /must not be negative/],
    ['max_concurrent x', /whole number/],
    ['next', /needs its rcode/],
    ['next FOO', /^Corefile:3:6: forward: FOO is not a valid rcode/],
    ['next_on_nodata x', /unexpected argument/],
    ['failfast_all_unhealthy_upstreams x', /unexpected argument/],
    ['failover', /needs its rcode/],
    ['failover SERVFAIL noerror', /^Corefile:3:19: forward: NoError cannot be used in failover/],
    ['failover FOO', /not a valid rcode/],
    ['resolver', /needs its address/],
    ['resolver dns.google', /^Corefile:3:10: forward: resolver must be an IP address or IP:port: "dns.google"/],
    ['source_address', /needs an argument/],
    ['source_address x', /^Corefile:3:16: forward: invalid IP address: x/],
  ]
  for (const [text, message] of refused) {
    t.throws(() => read('. 127.0.0.1', text), { code: 'PORTOLAN_COREFILE_OPTION', message }, text)
  }
})

t.test('tls: none, CA, CERT KEY, CERT KEY CA, relative to the folder', async t => {
  const files = (text: string) => Object.keys(read('. tls://127.0.0.1', text).tls)
  t.strictSame(files('tls'), [])
  t.strictSame(files('tls ca.crt'), ['ca'])
  t.strictSame(files('tls client-a.crt client-a.key'), ['cert', 'key'])
  t.strictSame(files('tls client-a.crt client-a.key ca.crt'), ['cert', 'key', 'ca'])
})

t.test('TO', async t => {
  const directory = t.testdir({
    'resolv.conf':
      'search a.org\nnameserver 192.0.2.1\n nameserver fe80::1%eth0 # the router\nnameserver\nnameserver 192.0.2.1\n',
    empty: '# nothing\n',
    broken: 'nameserver dns.example\n',
    folder: {},
  })
  const destinations = (to: string) =>
    read(`. ${to}`, '', directory).to.map(({ transport, host, port, serverName }) =>
      [transport, host, port, serverName].filter(part => part !== undefined).join(' '),
    )
  t.strictSame(destinations('127.0.0.1:8080'), ['dns 127.0.0.1 8080'])
  t.strictSame(destinations('dns://127.0.0.1'), ['dns 127.0.0.1 53'])
  t.strictSame(destinations('::1 [::1] [::1]:5353'), ['dns ::1 53', 'dns ::1 5353'])
  t.strictSame(destinations('fe80::1%lo [fe80::1%lo]:54'), ['dns fe80::1%lo 53', 'dns fe80::1%lo 54'])
  t.strictSame(destinations('127.0.0.1%example.net'), ['dns 127.0.0.1 53'])
  t.strictSame(destinations('tls://127.0.0.1 tls://127.0.0.1:8853'), ['tls 127.0.0.1 853', 'tls 127.0.0.1 8853'])
  t.strictSame(destinations('tls://127.0.0.1%example.net tls://127.0.0.1%example.net:8853'), [
    'tls 127.0.0.1 853 example.net',
    'tls 127.0.0.1 8853 example.net',
  ])
  t.strictSame(destinations('tls://127.0.0.1:8853%example.net'), ['tls 127.0.0.1 8853 example.net'])
  t.strictSame(destinations('tls://[2400:3200::1%dns.alidns.com]:853'), ['tls 2400:3200::1 853 dns.alidns.com'])
  t.strictSame(
    destinations('https://127.0.0.1 https://127.0.0.1:8443 https://[::1%dns.example]:443 https://dns.example'),
    ['https 127.0.0.1 443', 'https 127.0.0.1 8443', 'https ::1 443 dns.example', 'https dns.example 443'],
  )
  t.strictSame(destinations('resolv.conf empty'), ['dns 192.0.2.1 53', 'dns fe80::1%eth0 53'])
  t.strictSame(destinations('tls://resolv.conf'), ['tls 192.0.2.1 853', 'tls fe80::1%eth0 853'])
  t.strictSame(destinations('dns.example tls://dns.example%a.org:54'), [
    'dns dns.example 53',
    'tls dns.example 54 a.org',
  ])

  const many = Array.from({ length: 16 }, (_, i) => `192.0.2.${i}`)
  t.equal(destinations(many.slice(1).join(' ')).length, 15)
  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /needs its TO/],
    [many.join(' '), /more than 15 TOs configured: 16/],
    ['empty', /no valid upstream addresses found/],
    ['broken', /broken:1: nameserver must be an IP address, got "dns.example"/],
    ['folder', /cannot read .*folder/],
    ['/nonexistent', /not an IP address, file, or valid domain: "\/nonexistent"/],
    ['127.0.0.1:99999', /not an IP address, file, or valid domain/],
    ['a..b', /not an IP address, file, or valid domain/],
    ...['10.0.1', '256.0.0.1', '010.0.0.1', '1.2.3.4.5', '0x7f.1:53', 'dns.example.5.'].map(
      to => [to, /not an IP address, file, or valid domain/] as const,
    ),
    [
      'grpc://1.1.1.1',
      /'grpc' is not supported as a destination protocol in forward: use dns:\/\/, tls:\/\/ or https:\/\//,
    ],
    ['https://1.1.1.1/', /an https:\/\/ upstream has no path, it is asked at \/dns-query: "https:\/\/1.1.1.1\/"/],
    ['https://dns.example/dns-query', /^Corefile:2:11: forward: an https:\/\/ upstream has no path/],
    ['https://dns.example:0', /not an IP address, file, or valid domain/],
    ['https3://1.1.1.1', /'https3' is not supported .*: use dns:/],
    ['quic://1.1.1.1', /'quic' is not supported as a destination protocol in forward: use dns:/],
    ['unix:///tmp/x', /'unix' is not supported/],
    ['foo://1.1.1.1', /'foo' is not supported as a destination protocol in forward$/],
  ]
  for (const [to, message] of refused) {
    t.throws(() => read(`. ${to}`, '', directory), { code: 'PORTOLAN_COREFILE_OPTION', message }, to)
  }
  t.throws(() => read('example..org 127.0.0.1'), {
    message: /^Corefile:2:9: forward: unable to normalize 'example..org'/,
  })
  t.throws(() => read('. tls://127.0.0.1%a.org', 'tls_servername b.org'), {
    message: /both tls_servername \("b.org"\) and a name of its own \("a.org"\) are set for the upstream 127.0.0.1/,
  })
})
