/**
 * How long the answerer takes for one request, in nanoseconds, in this process and without sockets: for the kinds of questions that a
 * cluster's pods ask, in a table of 30,000 names. Prints a line for each kind, with its ratio to a hit. Usage: `answerer.ts [seconds]`.
 */
import { Answerer, ASK } from '../../src/table/answerer.ts'
import { Counted, MAX_COUNTERS, Transport } from '../../src/table/counters.ts'
import { Below, Verdict } from '../../src/table/layout.ts'
import { TableReader } from '../../src/table/reader.ts'
import { AnswerTable } from '../../src/table/table.ts'
import { keyFromText, type NameKey, nameFromKey, parentOf } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, DO, Type } from '../../src/wire/types.ts'
import { addressAnswer } from '../../src/zone/rdata.ts'
import { plainCut, requestFor, soaAnswer } from '../table/answering.ts'

const NAMES = 30_000
const BATCH = 64
const SLOT = 2048
const ORIGIN = keyFromText('cluster.local')!
const TTL = 30

const key = (text: string) => keyFromText(text)!
const service = (i: number) => key(`service-${String(i).padStart(5, '0')}.shop-${i % 9}.svc.cluster.local`)
const kept = (i: number) => key(`www-${i}.some-site.example.org`)

const nowMs = 1_000_000
const table = new AnswerTable({ now: () => nowMs })
const zone = table.zoneSpace()
const cache = table.cacheSpace()
fill()
const directory = table.openDirectory()
const cut = {
  ...plainCut,
  cache: cache.id,
  closed: false,
  rotate: true,
  counter: 0,
  positiveTtl: [5, TTL],
  negativeTtl: [5, TTL],
} as const
table.setDirectory(directory, [
  { ...cut, suffix: key('in-addr.arpa'), zone: zone.id },
  { ...cut, suffix: key('ip6.arpa'), zone: zone.id },
  { ...cut, suffix: ORIGIN, zone: zone.id, closed: true },
  cut,
])
table.commit()

function fill(): void {
  const address = (i: number) => Uint8Array.of(10, i >> 16, i >> 8, i)
  for (let i = 0; i < NAMES; i++) {
    const name = service(i)
    const addresses = Array.from({ length: i % 9 === 8 ? 8 : 1 }, (_, j) => address(i * 8 + j))
    const answer = addressAnswer(addresses, TTL, name.length)!
    const types = [
      { type: Type.A, verdict: Verdict.ANSWER, answer },
      { type: Type.SRV, verdict: Verdict.ANSWER, answer: srv(name, i) },
    ]
    zone.put(name, { other: Verdict.NODATA, below: Below.CLOSED, types })
    for (let above = parentOf(name); above !== ORIGIN && !zone.has(above); above = parentOf(above)) putEmpty(above)
  }
  putEmpty(ORIGIN)
  zone.setNegative(length => soaAnswer(ORIGIN, 1, length))
  for (let i = 0; i < 1000; i++) {
    const question = {
      key: kept(i),
      name: nameFromKey(kept(i)),
      type: Type.A,
      dnssecOk: false,
      checkingDisabled: false,
    }
    cache.put(question, addressAnswer([address(i), address(i + 1)], 3600, kept(i).length)!, { ttl: 3600, ageMs: 5000 })
  }
}

function putEmpty(name: NameKey): void {
  zone.put(name, { other: Verdict.NODATA, below: Below.CLOSED, types: [] })
}

function srv(name: NameKey, i: number) {
  const target = Buffer.from(name, 'latin1')
  const fixed = Buffer.from([0, 0, 0, 100, 0, 80])
  const record: Record = { owner: 0, type: Type.SRV, class: Class.IN, ttl: TTL, rdata: Buffer.concat([fixed, target]) }
  const glue = { owner: target, type: Type.A, class: Class.IN, ttl: TTL, rdata: Uint8Array.of(10, 1, i >> 8, i) }
  return encode({ answers: [record], authorities: [], additionals: [glue] }, name.length, { bits: Bit.AA })
}

/** What requests stand in, as many as come in a batch. */
const octets = new Uint8Array(BATCH * SLOT)
const answerer = new Answerer({
  reader: new TableReader(table.memory, table.openReader()),
  octets,
  counters: new Uint32Array(new SharedArrayBuffer(Counted.WORDS * MAX_COUNTERS * 4)),
})

/** The time of one answer. Copying requests into their slots is measured apart and left out. */
function measure(requests: readonly Buffer[], seconds: number): { ns: number; size: number } {
  const lengths = requests.map(request => request.length)
  let size = 0
  const batch = (from: number, answering: boolean) => {
    for (let i = 0; i < BATCH; i++) octets.set(requests[(from + i) % requests.length]!, i * SLOT)
    if (!answering) return
    answerer.begin(nowMs)
    for (let i = 0; i < BATCH; i++) {
      size = answerer.answer(directory, i * SLOT, lengths[(from + i) % requests.length]!, SLOT, Transport.UDP4)
    }
    answerer.end(100)
  }
  // The thread's own time, as other programs run too.
  const cpu = () => process.threadCpuUsage().user + process.threadCpuUsage().system
  const run = (milliseconds: number, answering: boolean) => {
    let batches = 0
    const began = cpu()
    const end = began + milliseconds * 1000
    while (cpu() < end) for (let i = 0; i < 100; i++) batch(batches++ * BATCH, answering)
    return ((cpu() - began) * 1000) / (batches * BATCH)
  }
  return { ns: run(200 * seconds, true) - run(50 * seconds, false), size }
}

const requests = (count: number, name: (i: number) => NameKey, type: number, edns?: { readonly flags: number }) =>
  Array.from({ length: count }, (_, i) => requestFor(nameFromKey(name((i * 7919) % count)), type, edns ? { edns } : {}))
const single = (i: number) => service(i % 9 === 8 ? i + 1 : i)

const kinds: readonly (readonly [string, readonly Buffer[]])[] = [
  ['A hit', requests(NAMES - 1, single, Type.A)],
  ['A hit with EDNS', requests(NAMES - 1, single, Type.A, { flags: DO })],
  ['NXDOMAIN', requests(NAMES, i => key(`nowhere-${i}.shop-${i % 9}.svc.cluster.local`), Type.A)],
  ['NXDOMAIN of a search', requests(NAMES, i => key(`www-${i}.example.org.shop-${i % 9}.svc.cluster.local`), Type.A)],
  ['NODATA', requests(NAMES, service, Type.AAAA)],
  ['SRV', requests(NAMES, service, Type.SRV)],
  ['8 records rotated', requests(3000, i => service(i * 9 + 8), Type.A)],
  ['kept, with ageing', requests(1000, kept, Type.A)],
  ['miss', requests(NAMES, i => key(`www-${i}.example.org`), Type.A)],
]

const seconds = Number(process.argv[2] ?? 1)
const best = kinds.map(() => ({ ns: Number.POSITIVE_INFINITY, size: 0 }))
// Kind by kind in turn, so that each has its share of a quiet machine; the first round is for the compiler.
for (let round = 0; round < 8; round++) {
  for (const [i, [, all]] of kinds.entries()) {
    const measured = measure(all, seconds)
    if (round > 0 && measured.ns < best[i]!.ns) best[i] = measured
  }
}
for (const [i, [title]] of kinds.entries()) {
  const { ns, size } = best[i]!
  const outcome = size === ASK ? 'asked' : `${size} octets`
  const ratio = (ns / best[0]!.ns).toFixed(2)
  process.stdout.write(`${title.padEnd(22)} ${ns.toFixed(0).padStart(5)} ns  ${ratio}  ${outcome}\n`)
}
