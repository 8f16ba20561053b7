import t from 'tap'
import { parseCorefile } from '../../src/corefile/parser.ts'
import { logger } from '../../src/observe/logger.ts'
import type { Reply } from '../../src/plugin/plugin.ts'
import { definition } from '../../src/plugins/log/index.ts'
import { type Answer, bare, NOTIMP, REFUSED, SERVFAIL } from '../../src/wire/answer.ts'
import type { Query } from '../../src/wire/query.ts'
import { Bit, Rcode } from '../../src/wire/types.ts'
import { answerTo } from '../helpers/answer.ts'
import { type Asking, pluginBench, queryFor } from '../helpers/plugin.ts'

const SOA = 'test. 30 IN SOA ns.test. admin.test. 1 7200 1800 86400 30'

const made: Readonly<Record<string, (query: Query) => Answer>> = {
  success: query => answerTo(query, { answers: ['a.test. 5 IN A 192.0.2.1'] }, { bits: Bit.AA }),
  empty: () => bare(Rcode.NOERROR),
  delegation: query => answerTo(query, { authorities: ['test. 5 IN NS ns.test.'] }),
  nodata: query => answerTo(query, { authorities: [SOA] }),
  nxdomain: query => answerTo(query, { authorities: [SOA] }, { rcode: Rcode.NXDOMAIN }),
  odd: query => answerTo(query, { answers: ['a.test. 5 IN CNAME b.test.'] }, { rcode: Rcode.NXDOMAIN }),
  servfail: () => SERVFAIL,
  notimp: () => NOTIMP,
  refused: () => REFUSED,
}

/** The lines that a `log` writes for a query and one of the answers above. */
function logged(text: string, query: Query, kind = 'success'): string[] {
  const { plugin, lines, clock } = pluginBench(definition, text)
  const reply: Reply = { answer: made[kind]!(query), plugin: 'hosts' }
  const given = plugin.handle(query, () => {
    clock.advance(1.5)
    return reply
  })
  t.equal(given, reply)
  return lines
}

const edns: Asking = { edns: { size: 4096, flags: 0x8000 }, bits: Bit.RD | Bit.CD }

t.test('the default is the common log format', async t => {
  const query = queryFor('A.Test', 'A', edns)
  t.strictSame(logged('log', query), [
    '[INFO] 192.0.2.1:40000 - 0 "A IN a.test. udp 24 true 4096" NOERROR qr,aa,rd,cd 57 0.0015s',
  ])
})

t.test('all placeholders', async t => {
  const peer = { address: '2001:db8::1', localAddress: '::1', protocol: 'tcp' as const, port: 5353 }
  const query = queryFor('a.test', 'TYPE65400', { peer, class: 17 })
  const one = (format: string, asked = query, kind?: string) => logged(`log . "${format}"`, asked, kind)[0]!.slice(7)
  t.equal(one('{remote} {port} {local} {proto}'), '[2001:db8::1] 5353 [::1] tcp')
  t.equal(one('{type} {class} {name} {size}'), 'TYPE65400 CLASS17 a.test. 24')
  t.equal(one('{>id} {>opcode} {>do} {>bufsize}'), '0 0 false 65535')
  t.equal(one('{rcode} {>rflags} {rsize} {duration}', query, 'nxdomain'), 'NXDOMAIN qr,rd 73 0.0015s')
  t.equal(one('{>bufsize}', queryFor('a.test', 'A', { edns: { size: 100 } })), '512', 'at least 512 over UDP')
  t.equal(one('{combined}').slice(-4), ' "0"')
  t.equal(one('{common}'), one('{combined}').slice(0, -4))
  t.equal(one('} {x} { {type} {Type} {type'), '} {x} { TYPE65400 {Type} {type', 'the rest stays as it is')
  t.equal(one('{/log/class} {/log/type} {/kubernetes/namespace}', query, 'nodata'), 'denial NODATA -')
})

t.test('flags tell of truncation', async t => {
  const query = queryFor('a.test')
  const answers = Array.from({ length: 40 }, (_, i) => `a.test. 5 IN A 192.0.2.${i}`)
  const { plugin, lines } = pluginBench(definition, 'log . {>rflags}')
  plugin.handle(query, () => ({ answer: answerTo(query, { answers }), plugin: 'hosts' }))
  t.strictSame(lines, ['[INFO] qr,tc,rd'])
})

t.test('classes', async t => {
  const query = queryFor('a.test')
  const kinds = (text: string) => Object.keys(made).filter(kind => logged(text, query, kind).length > 0)
  t.strictSame(kinds('log {\nclass success\n}'), ['success', 'empty', 'delegation'])
  t.strictSame(kinds('log {\nclass denial\n}'), ['nodata', 'nxdomain'])
  t.strictSame(kinds('log {\nclass error\n}'), ['odd', 'servfail', 'notimp', 'refused'])
  t.strictSame(kinds('log {\nclass denial error\nclass success\n}'), Object.keys(made))
  t.strictSame(kinds('log {\nclass all\n}'), Object.keys(made))
  t.strictSame(kinds('log'), Object.keys(made))
  t.same(logged('log {\nclass success\n}', queryFor('test', 'AXFR')), [], 'a transfer is of no class but all')
  const notify = queryFor('a.test', 'SOA', { bits: 4 << 11 }).with({ bits: 4 << 11 })
  t.strictSame(logged('log . "{>opcode} {/log/type}" {\nclass error\n}', notify), ['[INFO] 4 META'])
})

t.test('names', async t => {
  const counts = (text: string) =>
    ['a.test', 'b.a.test', 'ba.test', '.'].map(name => logged(text, queryFor(name)).length)
  t.strictSame(counts('log A.test'), [1, 1, 0, 0])
  t.strictSame(counts('log a.test ba.test. {name}'), [1, 1, 1, 0])
  t.strictSame(counts('log .'), [1, 1, 1, 1])
  t.strictSame(logged('log {name}', queryFor('a.test')), ['[INFO] a.test.'], 'a format alone is for all names')
})

t.test('the first rule that holds a name decides, over all log lines of a block', async t => {
  const text = 'log b.test "first {name}" {\nclass error\n}\nlog . "second {name}"\nlog . third'
  const { plugin, context, lines } = pluginBench(definition, text)
  const rest = context.block.directives.slice(1).map(directive => definition.setup(directive, context))
  t.strictSame(rest, [{ name: 'log' }, { name: 'log' }], 'the others have no link of their own')
  for (const name of ['a.test', 'b.test']) {
    const query = queryFor(name)
    plugin.handle(query, () => ({ answer: made['success']!(query), plugin: '' }))
  }
  t.strictSame(lines, ['[INFO] second a.test.'])
})

t.test('replies that come later are logged when they come', async t => {
  const { plugin, lines, clock } = pluginBench(definition, 'log . "{name} {duration}"')
  const reply: Reply = { answer: SERVFAIL, plugin: '' }
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const given = plugin.handle(queryFor('a.test'), () => promise)
  t.strictSame(lines, [])
  clock.advance(2000)
  resolve(reply)
  t.equal(await given, reply)
  t.strictSame(lines, ['[INFO] a.test. 2s'])
})

t.test('JSON lines carry the fields of CoreDNS', async t => {
  const lines: string[] = []
  const log = logger({ format: 'json', write: line => lines.push(line), now: () => 0 })
  const { plugin } = pluginBench(definition, 'log . "{name} {rcode}"', { context: { log } })
  const query = queryFor('a.test', 'A', edns)
  plugin.handle(query, () => ({ answer: made['success']!(query), plugin: '' }))
  t.strictSame(JSON.parse(lines[0]!), {
    level: 'INFO',
    time: '1970-01-01T00:00:00.000Z',
    msg: 'a.test. NOERROR',
    plugin: 'log',
    client_ip: '192.0.2.1',
    client_port: 40000,
    qname: 'a.test.',
    qtype: 'A',
    qclass: 'IN',
    protocol: 'udp',
    id: 0,
    opcode: 0,
    request_size: 24,
    dnssec_ok: true,
    bufsize: 4096,
    rcode: 'NOERROR',
    response_size: 51,
    duration_seconds: 0,
  })
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['log a..b', 'Corefile:2:5: log: name must be a domain name'],
    ['log {\nclass\n}', 'Corefile:3:1: log: class needs an argument'],
    ['log {\nclass success bogus\n}', 'Corefile:3:15: log: class must be "all" or "success" or "denial" or "error"'],
    ['log {\nbogus\n}', 'Corefile:3:1: log: unknown option "bogus"'],
  ]
  for (const [text, message] of mistakes) {
    t.throws(() => pluginBench(definition, text), { message })
  }
  t.ok(parseCorefile('. {\nlog . {combined}\n}'), 'a placeholder is a word, not a block')
})
