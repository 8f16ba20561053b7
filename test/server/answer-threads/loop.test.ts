/** What an answer thread does with each message, with a batch that the test fills. */
import t from 'tap'
import { EAGAIN, EBADF, EINTR } from '../../../src/net/udp-batch/libc.ts'
import { ORIGIN } from '../../../src/net/udp-batch/origin.ts'
import { AnswerLoop, type LoopOptions } from '../../../src/server/answer-threads/loop.ts'
import { RingReader, RingWriter, ringMemory } from '../../../src/server/answer-threads/ring.ts'
import { LOOK, type Orders, type ThreadSocket, Word } from '../../../src/server/answer-threads/shared.ts'
import { ASK, DROP } from '../../../src/table/answerer.ts'
import { questionPacket } from '../../helpers/serve.ts'

const SLOT = 1024
const socket = (number: number): ThreadSocket => ({ number, fd: number + 100, directory: 7 })

interface Run {
  /** What each `receive` finds: packets, or an errno. When there are no more the thread is told to end. */
  readonly received: readonly (readonly Uint8Array[] | number)[]
  readonly answerer?: LoopOptions['answerer']
  readonly ringOctets?: number
  readonly sockets?: readonly ThreadSocket[]
}

/** Runs the loop over what was received until it ends. */
function run({ received, answerer, ringOctets = 4096, sockets = [socket(1)] }: Run) {
  const words = new SharedArrayBuffer(Word.SIZE * 4)
  const turn = new Int32Array(words)
  const ring = ringMemory(ringOctets)
  const orders: Orders[] = [{ turn: 1, sockets, end: false }]
  turn[Word.TURN] = 1
  const octets = new Uint8Array(8 * SLOT)
  const said: number[] = []
  const replies: string[] = []
  const sent: number[] = []
  const asked: [fd: number, wait: boolean][] = []
  let lengths: number[] = []
  const left = [...received]
  const loop = new AnswerLoop({
    libc: { poll: () => 0, errno: () => 0 },
    batch: {
      octets,
      words: new Int32Array(octets.buffer),
      slotAt: i => i * SLOT,
      receive(fd, wait) {
        asked.push([fd, wait])
        const next = left.shift()
        if (left.length === 0 && turn[Word.TURN] === 1) {
          orders.push({ turn: 2, sockets: [], end: true })
          turn[Word.TURN] = 2
        }
        if (next === undefined) return -EAGAIN
        if (typeof next === 'number') return next
        lengths = next.map(({ length }) => length)
        for (const [i, packet] of next.entries()) octets.set(packet, i * SLOT)
        return next.length
      },
      length: i => lengths[i]!,
      truncated: () => false,
      isIPv6: () => false,
      copyOrigin: (i, target, at) => target.fill(i + 1, at, at + ORIGIN / 4),
      reply: (i, length) => replies.push(Buffer.from(octets.subarray(i * SLOT, i * SLOT + length)).toString('hex')),
      send: fd => sent.push(fd),
    },
    answerer,
    ring: new RingWriter(ring, ORIGIN),
    words,
    orders: () => orders.shift(),
    say: what => said.push(what),
  })
  const passedOn: string[] = []
  const take = () => {
    const reader = new RingReader(ring, ORIGIN)
    while (reader.next()) {
      const copy = reader.copy()
      passedOn.push(`${reader.socket} ${copy[0]} ${Buffer.from(copy.subarray(reader.requestAt)).toString('hex')}`)
    }
  }
  const count = (word: number) => new Uint32Array(words)[word]!
  return {
    loop,
    said,
    replies,
    sent,
    asked,
    passedOn,
    take,
    misses: () => count(Word.MISSES),
    full: () => count(Word.FULL),
  }
}

const packet = (name: string) => questionPacket(`${name}.test A`)
const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

t.test('hits are replied in place, what is asked is passed on, and the rest is dropped', async t => {
  const names = ['hit', 'drop', 'other', 'hit']
  const packets = names.map(packet)
  const by: LoopOptions['answerer'] = {
    begin: () => undefined,
    end: () => undefined,
    answer: (directory, at) =>
      directory === 7 ? [packets[0]!.length, DROP, ASK, packets[3]!.length][at / SLOT]! : ASK,
  }
  const { loop, said, replies, sent, passedOn, take, misses } = run({ received: [packets], answerer: by })
  loop.run()
  t.strictSame(replies, [hex(packets[0]!), hex(packets[3]!)])
  t.strictSame(sent, [101])
  take()
  t.strictSame(passedOn, [`1 3 ${hex(packets[2]!)}`])
  t.equal(misses(), 1)
  t.strictSame(said, [1, LOOK, 2])
})

t.test('without a table everything is passed on, and the bell rings once', async t => {
  const { loop, said, replies, passedOn, take } = run({ received: [[packet('a')], [packet('b'), packet('c')]] })
  loop.run()
  take()
  t.equal(passedOn.length, 3)
  t.strictSame(replies, [])
  t.strictSame(said, [1, LOOK, 2])
})

t.test('where the ring is full the thread refuses, and nothing that is empty is sent', async t => {
  const packets = Array.from({ length: 6 }, () => packet('a'))
  const { loop, replies, misses, full } = run({ received: [[...packets, Buffer.alloc(0)]], ringOctets: 256 })
  loop.run()
  t.equal(misses() + full(), 7)
  t.equal(misses(), 3)
  t.equal(replies.length, 4)
  for (const reply of replies) t.match(reply, /^12348102000100000000/)
})

t.test('sockets that are left are read to the end first', async t => {
  const { loop, asked, passedOn, take, said } = run({ received: [[packet('a')]] })
  loop.run()
  take()
  t.equal(passedOn.length, 1)
  t.strictSame(asked, [
    [101, true],
    [101, false],
  ])
  t.equal(said.at(-1), 2)
})

t.test('failures that pass are passed over, one that stays ends the thread', async t => {
  const passing = run({ received: [-EAGAIN, -EINTR, 0, [packet('a')]] })
  passing.loop.run()
  t.equal(passing.misses(), 1)
  const broken = run({ received: Array(100).fill(-EBADF) })
  t.throws(() => broken.loop.run(), { code: 'EBADF', syscall: 'recvmmsg' })
  t.ok(broken.asked.length < 50, 'it does not go on for ever')
})
