/** The comparison with CoreDNS is worth something only if its comparer sees faults and nothing else: here it is given faults. */
import t from 'tap'
import { type CompareOptions, compare, type Kind } from '../e2e/conformance/compare.ts'
import { allowedDifferences, type Finding } from '../e2e/conformance/differences.ts'
import { prepare } from '../e2e/conformance/modes.ts'
import { mixedCase, reverseName } from '../e2e/conformance/names.ts'
import { oddPackets } from '../e2e/conformance/packets.ts'
import { questionsFor } from '../e2e/conformance/questions.ts'
import { variants } from '../e2e/conformance/variants.ts'
import { decode, flagBits, nameBytes, optBytes, queryBytes, types, words } from '../e2e/message.ts'
import { addressesIn } from '../e2e/objects.ts'

const { QR, AA, TC, RD, RA } = flagBits
const asked = 'web.shop.svc.cluster.local'

interface Parts {
  readonly flags?: number
  readonly question?: string
  readonly answer?: readonly Buffer[]
  readonly authority?: readonly Buffer[]
  readonly additional?: readonly Buffer[]
  readonly edns?: Parameters<typeof optBytes>[0]
  readonly tail?: Buffer
}

function record(owner: string, type: number, ttl: number, data: Buffer): Buffer {
  return Buffer.concat([nameBytes(owner), words(type, 1, 0, ttl, data.length), data])
}

function reply({ flags = QR | AA | RD, question = asked, edns, tail = Buffer.alloc(0), ...parts }: Parts = {}): Buffer {
  const { answer = [a()], authority = [], additional = [] } = parts
  const last = edns === undefined ? [] : [optBytes(edns)]
  return Buffer.concat([
    words(7, flags, 1, answer.length, authority.length, additional.length + last.length),
    nameBytes(question),
    words(types.A, 1),
    ...answer,
    ...authority,
    ...additional,
    ...last,
    tail,
  ])
}

function a(owner = asked, address = '10.96.0.80', ttl = 5): Buffer {
  return record(owner, types.A, ttl, Buffer.from(address.split('.').map(Number)))
}

function cname(owner: string, target: string): Buffer {
  return record(owner, types.CNAME, 5, nameBytes(target))
}

function soa(serial: number, mname = 'ns.dns.cluster.local', zone = 'cluster.local'): Buffer {
  const data = [nameBytes(mname), nameBytes(`hostmaster.${zone}`), words(0, serial, 0, 7200, 0, 1800, 1, 20864, 0, 5)]
  return record(zone, types.SOA, 5, Buffer.concat(data))
}

function kinds(
  left: Parameters<typeof compare>[0],
  right: Parameters<typeof compare>[1],
  options?: CompareOptions,
): Kind[] {
  return compare(left, right, options).map(({ kind }) => kind)
}

t.test('sees no difference where there is none', t => {
  const pointer = Buffer.concat([words(0xc00c, types.A, 1, 0, 5, 4), Buffer.from([10, 96, 0, 80])])
  const two = [a(asked, '10.0.0.1'), a(asked, '10.0.0.2')]
  for (const [what, left, right, options] of [
    ['the same bytes', reply(), reply()],
    ['compression', reply(), reply({ answer: [pointer] })],
    ['another order', reply({ answer: two }), reply({ answer: two.toReversed() })],
    ['the serial of a cluster zone', reply({ authority: [soa(1)] }), reply({ authority: [soa(2)] })],
    ['TTL within the slack', reply(), reply({ answer: [a(asked, '10.96.0.80', 6)] }), { ttlSlack: 1 }],
    ['silence of both', 'silence', 'silence'],
  ] as const) {
    t.strictSame(compare(left, right, options), [], what)
  }
  t.end()
})

t.test('sees each fault, and calls it by its kind', t => {
  const chain = [cname(asked, 'target.test'), a('target.test')]
  const faults: readonly (readonly [
    what: string,
    expected: Kind,
    left: Buffer | 'silence',
    right: Buffer | 'silence' | 'closed',
  ])[] = [
    ['no reply', 'silence', reply(), 'silence'],
    ['connection closed', 'silence', reply(), 'closed'],
    ['a reply where none is due', 'silence', 'silence', reply()],
    ['reply cut off', 'malformed', reply(), reply().subarray(0, -3)],
    ['pointer loop', 'malformed', reply(), reply({ answer: [words(0xc000 + 12 + asked.length + 6, 1)] })],
    ['opcode', 'opcode', reply(), reply({ flags: QR | AA | RD | (2 << 11) })],
    ['rcode', 'rcode', reply(), reply({ flags: QR | AA | RD | 3 })],
    ['extended rcode', 'rcode', reply({ edns: { size: 512 } }), reply({ edns: { size: 512, ttl: 1 << 24 } })],
    ...(Object.keys(flagBits) as (keyof typeof flagBits)[]).map(
      flag => [`flag ${flag}`, `flag-${flag}`, reply(), reply({ flags: (QR | AA | RD) ^ flagBits[flag] })] as const,
    ),
    ['question in another case', 'question', reply(), reply({ question: mixedCase(asked) })],
    ['OPT missing', 'edns', reply({ edns: { size: 512 } }), reply()],
    ['OPT of another size', 'edns', reply({ edns: { size: 512 } }), reply({ edns: { size: 1232 } })],
    [
      'OPT with an option',
      'edns',
      reply({ edns: { size: 512 } }),
      reply({ edns: { size: 512, options: words(3, 0) } }),
    ],
    ['answer missing', 'answer', reply(), reply({ answer: [] })],
    ['answer twice', 'answer', reply(), reply({ answer: [a(), a()] })],
    ['another address', 'answer', reply(), reply({ answer: [a(asked, '10.96.0.81')] })],
    ['another owner', 'answer', reply(), reply({ answer: [a('other.shop.svc.cluster.local')] })],
    ['authority missing', 'authority', reply({ authority: [soa(1)] }), reply()],
    ['another primary name', 'authority', reply({ authority: [soa(1)] }), reply({ authority: [soa(1, 'ns.test')] })],
    [
      'serial of another zone',
      'authority',
      reply({ authority: [soa(1, 'ns.test')] }),
      reply({ authority: [soa(2, 'ns.test')] }),
    ],
    ['glue missing', 'additional', reply({ additional: [a('glue.test')] }), reply()],
    ['TTL', 'ttl', reply(), reply({ answer: [a(asked, '10.96.0.80', 30)] })],
    ['owner in another case', 'case', reply(), reply({ answer: [a(asked.toUpperCase())] })],
    [
      'zone in another case',
      'case',
      reply({ authority: [soa(1)] }),
      reply({ authority: [soa(1, 'ns.dns.cluster.local', 'CLUSTER.local')] }),
    ],
    [
      'target in another case',
      'data-case',
      reply({ answer: [cname(asked, 'target.test')] }),
      reply({ answer: [cname(asked, 'Target.test')] }),
    ],
    [
      'glue in another case',
      'data-case',
      reply({ additional: [a('glue.test')] }),
      reply({ additional: [a('Glue.test')] }),
    ],
    ['alias behind its target', 'cname-order', reply({ answer: chain }), reply({ answer: chain.toReversed() })],
    ['bytes behind the message', 'trailing', reply(), reply({ tail: Buffer.from([0]) })],
  ]
  for (const [what, expected, left, right] of faults) t.match(kinds(left, right), [expected], what)
  t.end()
})

t.test('judges cut replies by how much they hold and whether it belongs to the whole', t => {
  const answers = addressesIn('10.3', 40).map(address => a(asked, address))
  const cut = (count: number, ...more: readonly Buffer[]) =>
    reply({ flags: QR | AA | TC | RD, answer: [...answers.slice(0, count), ...more] })
  const whole = decode(reply({ answer: answers }))
  if (typeof whole === 'string') throw new Error(whole)
  const other = reply({ flags: QR | AA | TC | RD, answer: answers.slice(11, 40) })
  t.strictSame(kinds(cut(29), other, { whole }), [], 'other records of the whole')
  t.strictSame(kinds(cut(29), cut(25), { whole }), [], 'a few less')
  t.strictSame(kinds(cut(29), cut(20), { whole }), ['truncation'], 'many less')
  t.strictSame(kinds(cut(29), cut(28, a(asked, '192.0.2.1')), { whole }), ['truncation'], 'a foreign one')
  t.strictSame(kinds(cut(29), reply({ answer: answers })), ['flag-TC'], 'only one is cut')
  t.strictSame(
    kinds(reply(), reply({ answer: [a(), a()] }), { limit: 100 }).sort(),
    ['answer', 'oversize'],
    'too large',
  )
  t.end()
})

t.test('decodes names whose labels hold odd bytes', t => {
  const bytes = queryBytes('a\\.b\\000.\\255x', types.TXT)
  const message = decode(bytes)
  t.match(message, { questions: ['a\\046b\\000.\\255x. 1 TXT'], rcode: 0, trailing: 0 })
  t.end()
})

t.test('questions are many, each once, the same each time', t => {
  const questions = questionsFor()
  const titles = questions.flatMap(prepare).map(({ title }) => title)
  t.ok(questions.length > 2500, 'enough of them')
  t.equal(new Set(titles).size, titles.length, 'no title twice')
  t.strictSame(questionsFor(), questions, 'the same again')
  const packets = oddPackets()
  t.equal(new Set(packets.map(({ title }) => title)).size, packets.length, 'no packet twice')
  t.equal(reverseName('fd00:96::85'), '5.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa')
  t.end()
})

t.test('a row of the table allows its difference and not the next one', t => {
  const finding = (
    name: string,
    type: 'A' | 'PTR',
    kind: Kind,
    left: Buffer | 'silence',
    right: Buffer,
    variant = 'plain',
  ): Finding => ({
    difference: { kind, detail: '' },
    question: prepare({ group: 'test', name, type })[0]!,
    variant: variants.find(each => each.name === variant)!,
    a: typeof left === 'string' ? left : decode(left),
    b: decode(right),
  })
  const allowing = (candidate: Finding): string | undefined => allowedDifferences.find(row => row.allows(candidate))?.id
  const missing = reply({ flags: QR | AA | 3, answer: [], authority: [soa(1)] })
  const nodata = reply({ answer: [], authority: [soa(1)] })
  const failure = reply({ flags: QR | 2, answer: [] })
  const formerr = reply({ flags: QR | RA | 1, answer: [] })
  const external = 'missing.ext.svc.cluster.local'
  const alias = reply({ answer: [cname(external, 'nosuch.shop.svc.cluster.local')], authority: [soa(1)] })
  for (const [id, allowed, refused] of [
    ['data-case', finding(asked, 'A', 'data-case', reply(), reply()), finding(asked, 'A', 'answer', reply(), reply())],
    [
      'question-case',
      finding(asked, 'A', 'case', reply({ answer: [a(asked.toUpperCase())] }), reply()),
      finding(asked, 'A', 'case', reply(), reply({ answer: [a(asked.toUpperCase())] })),
    ],
    [
      'fresh-cluster',
      finding(asked, 'A', 'ttl', reply({ answer: [a(asked, '10.96.0.80', 2)] }), reply(), 'cache'),
      finding(asked, 'A', 'ttl', reply(), reply({ answer: [a(asked, '10.96.0.80', 2)] }), 'cache'),
    ],
    [
      'any-case',
      finding('nS.dNS.Cluster.local', 'A', 'rcode', missing, reply()),
      finding('ns.dns.cluster.local', 'A', 'rcode', missing, reply()),
    ],
    [
      'reverse-labels',
      finding(`0.${reverseName('fd00:96::85')}`, 'PTR', 'rcode', reply(), missing),
      finding(reverseName('fd00:96::85'), 'PTR', 'rcode', reply(), missing),
    ],
    [
      'dns-name',
      finding('dns.cluster.local', 'A', 'rcode', missing, nodata),
      finding('x.dns.cluster.local', 'A', 'rcode', missing, nodata),
    ],
    [
      'alias-kept',
      finding(external, 'A', 'answer', nodata, alias),
      finding(external, 'A', 'answer', nodata, reply({ answer: [a(external)] })),
    ],
    [
      'unlabelled-slice',
      finding('99.0.9.10.in-addr.arpa', 'PTR', 'silence', 'silence', missing),
      finding('98.0.9.10.in-addr.arpa', 'PTR', 'silence', 'silence', missing),
    ],
    [
      'unsynced',
      finding(asked, 'A', 'rcode', missing, failure, 'unsynced'),
      finding(asked, 'A', 'rcode', missing, failure),
    ],
    [
      'forward-waits',
      finding('stranger.up.test', 'A', 'rcode', formerr, reply()),
      finding('www.up.test', 'A', 'rcode', formerr, reply()),
    ],
  ] as const) {
    t.equal(allowing(allowed), id)
    t.equal(allowing(refused), undefined, `${id} is narrow`)
  }
  t.equal(new Set(allowedDifferences.map(row => row.id)).size, allowedDifferences.length, 'ids are unique')
  t.end()
})
