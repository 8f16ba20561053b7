import fc from 'fast-check'
import t from 'tap'
import { serverAddresses, serverAddressText } from '../../src/corefile/keys.ts'
import type { Token } from '../../src/corefile/lexer.ts'
import { nameFromText } from '../../src/wire/name.ts'

function key(text: string): Token {
  return { file: 'Corefile', line: 3, column: 5, text, quoted: false, kind: 'word', startsLine: true }
}

function addresses(text: string, port?: number): string[] {
  return serverAddresses(key(text), port).map(serverAddressText)
}

t.test('keys', async t => {
  const table: [string, string[]][] = [
    ['.', ['dns://.:53']],
    ['.:1053', ['dns://.:1053']],
    ['Example.ORG', ['dns://example.org.:53']],
    ['example.org.:5300', ['dns://example.org.:5300']],
    ['dns://example.org', ['dns://example.org.:53']],
    ['tls://.', ['tls://.:853']],
    ['tls://example.org:1853', ['tls://example.org.:1853']],
    ['https://example.org', ['https://example.org.:443']],
    ['https3://example.org', ['https3://example.org.:443']],
    ['grpc://example.org', ['grpc://example.org.:443']],
    ['quic://example.org', ['quic://example.org.:853']],
    ['.:0', ['dns://.:0']],
    ['0/25.2.0.192.in-addr.arpa', ['dns://0/25.2.0.192.in-addr.arpa.:53']],
    ['_dns.example.org', ['dns://_dns.example.org.:53']],
  ]
  for (const [text, expected] of table) t.strictSame(addresses(text), expected, text)
  t.strictSame(addresses('.', 1053), ['dns://.:1053'])
  t.strictSame(addresses('tls://.', 1053), ['tls://.:853'])
  t.match(serverAddresses(key('A.org'))[0], {
    transport: 'dns',
    zone: 'a.org.',
    origin: '\x01a\x03org\0',
    at: { file: 'Corefile', line: 3, column: 5 },
  })
})

t.test('networks become the reverse zones that cover them', async t => {
  const table: [string, string[]][] = [
    ['10.0.0.0/24', ['0.0.10.in-addr.arpa.']],
    ['10.0.0.0/8', ['10.in-addr.arpa.']],
    ['0.0.0.0/0', ['in-addr.arpa.']],
    ['192.0.2.7/32', ['7.2.0.192.in-addr.arpa.']],
    ['10.0.0.0/23', ['0.0.10.in-addr.arpa.', '1.0.10.in-addr.arpa.']],
    ['10.0.3.9/23', ['2.0.10.in-addr.arpa.', '3.0.10.in-addr.arpa.']],
    ['192.0.2.128/30', ['128', '129', '130', '131'].map(octet => `${octet}.2.0.192.in-addr.arpa.`)],
    ['254.0.0.0/7', ['254.in-addr.arpa.', '255.in-addr.arpa.']],
    ['2001:db8::/32', ['8.b.d.0.1.0.0.2.ip6.arpa.']],
    ['fd00::/8', ['d.f.ip6.arpa.']],
    ['fd00::/7', ['c.f.ip6.arpa.', 'd.f.ip6.arpa.']],
    ['2001:db8::1/128', [`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`]],
  ]
  for (const [text, zones] of table) {
    t.strictSame(
      addresses(text),
      zones.map(zone => `dns://${zone}:53`),
      text,
    )
    t.strictSame(
      addresses(`${text}:1053`),
      zones.map(zone => `dns://${zone}:1053`),
      `${text}:1053`,
    )
  }
  t.equal(addresses('10.0.0.0/1').length, 128)
})

t.test('a network has one zone for each value of its unfinished octet', async t => {
  const network = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(32))
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(network, ([a, b, c, d, prefix]) => {
        const zones = addresses(`${a}.${b}.${c}.${d}/${prefix}`)
        const labels = Math.ceil(prefix / 8)
        const covers = `dns://${[a, b, c, d].slice(0, labels).reverse().concat([]).join('.')}${labels ? '.' : ''}in-addr.arpa.:53`
        return (
          zones.length === 2 ** (labels * 8 - prefix) && zones.includes(covers) && new Set(zones).size === zones.length
        )
      }),
    ),
  )
})

t.test('any key is a name, or an error with its place', async t => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV6(), fc.webUrl()), text => {
        try {
          return serverAddresses(key(text)).every(({ zone }) => nameFromText(zone) !== undefined && zone.endsWith('.'))
        } catch (error) {
          return error instanceof Error && error.message.startsWith('Corefile:3:5: ')
        }
      }),
    ),
  )
})
