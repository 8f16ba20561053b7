import { type Answer, decode, encode, type Packet } from 'dns-packet'
import t from 'tap'
import { replyText, shortText } from '../../src/cli/reply-text.ts'

/** A reply as it comes off the wire. */
const reply = (packet: Packet) => decode(encode({ type: 'response', id: 7, ...packet }))

const opt = (extendedRcode: number, flags: number): Answer => {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    ednsVersion: 0,
    flag_do: false,
    options: [],
    extendedRcode,
    flags,
  }
}

t.test('a whole reply', async t => {
  const text = replyText(
    reply({
      flags: 0x0400 | 0x0100,
      questions: [{ name: 'web.shop.svc.cluster.local', type: 'A' }],
      answers: [{ name: 'web.shop.svc.cluster.local', type: 'A', ttl: 5, data: '10.96.0.7' }],
      additionals: [opt(0, 0x8000)],
    }),
  )
  t.equal(
    text,
    `;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags: do; udp: 1232
;; QUESTION SECTION:
;web.shop.svc.cluster.local.		IN	A

;; ANSWER SECTION:
web.shop.svc.cluster.local.	5	IN	A	10.96.0.7

`,
  )
})

t.test('the header', async t => {
  t.match(replyText(reply({ flags: 3 })), /status: NXDOMAIN.*\n;; flags: qr; QUERY: 0/)
  t.match(replyText(reply({ flags: (4 << 11) | 5 })), /opcode: NOTIFY, status: REFUSED/)
  t.match(replyText(reply({ flags: 7 << 11 })), /opcode: OPCODE7/)
  t.match(replyText(reply({ flags: 0x7b0 & ~0x40 })), /flags: qr aa tc rd ra ad cd;/)
  t.match(replyText(reply({ additionals: [opt(1, 0)] })), /status: BADVERS/)
})

t.test('the other sections', async t => {
  const text = replyText(
    reply({
      authorities: [{ name: 'b.test', type: 'NS', ttl: 1, data: 'ns.b.test' }],
      additionals: [{ name: 'ns.b.test', type: 'AAAA', ttl: 1, data: '2001:db8::1' }],
    }),
  )
  t.match(text, ';; AUTHORITY SECTION:\nb.test.\t1\tIN\tNS\tns.b.test.\n')
  t.match(text, ';; ADDITIONAL SECTION:\nns.b.test.\t1\tIN\tAAAA\t2001:db8::1\n')
  t.notMatch(text, 'ANSWER SECTION')
})

t.test('data', async t => {
  const soa = { mname: 'ns.t', rname: 'host.t', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 }
  const naptr = { order: 1, preference: 2, flags: 's', services: 'SIP', regexp: '', replacement: 'x.t' }
  const name = 'a.test'
  const unknown = { name, type: 'UNKNOWN_65', data: Buffer.from([1, 0xab]) } as unknown as Answer
  const cases: [Answer, string][] = [
    [{ name, type: 'CNAME', data: 'x.t' }, 'x.t.'],
    [{ name, type: 'PTR', data: '.' }, '.'],
    [{ name, type: 'MX', data: { preference: 10, exchange: 'm.t' } }, '10 m.t.'],
    [{ name, type: 'SRV', data: { priority: 0, weight: 50, port: 80, target: 'w.t' } }, '0 50 80 w.t.'],
    [{ name, type: 'SOA', data: soa }, 'ns.t. host.t. 1 2 3 4 5'],
    [{ name, type: 'TXT', data: ['one', 'a "b" \\'] }, '"one" "a \\"b\\" \\\\"'],
    [{ name, type: 'TXT', data: Buffer.from([0x1b, 0xc3]) }, '"\\027\\195"'],
    [{ name, type: 'HINFO', data: { cpu: 'a', os: 'b' } }, '"a" "b"'],
    [{ name, type: 'CAA', data: { flags: 0, tag: 'issue', value: 'ca.t' } }, '0 issue "ca.t"'],
    [{ name, type: 'NAPTR', data: naptr }, '1 2 "s" "SIP" "" x.t.'],
    [{ name, type: 'DS', data: { keyTag: 1, algorithm: 2, digestType: 3, digest: Buffer.from([0xfe]) } }, '1 2 3 FE'],
    [{ name, type: 'NSEC', data: { nextDomain: 'b.t', rrtypes: ['A', 'MX'] } }, 'b.t A MX'],
    [unknown, '\\# 2 01AB'],
  ]
  for (const [record, data] of cases) t.equal(shortText(reply({ answers: [record] })), `${data}\n`, record.type)
  t.match(replyText(reply({ answers: [unknown] })), '\tHTTPS\t')
})

t.test('names cannot steer the terminal', async t => {
  t.equal(shortText(reply({ answers: [{ name: 'a', type: 'NS', data: 'x\u001b[2Jy' }] })), 'x\\027[2Jy.\n')
})
