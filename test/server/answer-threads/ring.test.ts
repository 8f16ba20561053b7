/** The ring between an answer thread and the control thread: against a model, where it wraps, and where it is full. */
import fc from 'fast-check'
import t from 'tap'
import { RingReader, RingWriter, ringMemory } from '../../../src/server/answer-threads/ring.ts'

const ORIGIN = 12

/** Both ends of a ring, which take requests as octets. */
function ring(octets: number, memory = ringMemory(octets)) {
  const writer = new RingWriter(memory, ORIGIN)
  const reader = new RingReader(memory, ORIGIN)
  const origins = new Int32Array(8)
  const requests = new Int32Array(70)
  let origin = 0
  return {
    memory,
    writer,
    reader,
    push(socket: number, request: Uint8Array): boolean {
      new Uint8Array(requests.buffer).set(request, 20)
      origins.fill(++origin, 2, 5)
      return writer.push(socket, origin * 1000, origins, 2, requests, 5, request.length)
    },
    take() {
      if (!reader.next()) return undefined
      const copy = reader.copy()
      const origin = new Int32Array(copy.buffer, copy.byteOffset, ORIGIN / 4)
      return { socket: reader.socket, origin: [...origin], request: [...copy.subarray(reader.requestAt)] }
    },
  }
}

t.test('any sequence of pushes and takes is a queue', async t => {
  const request = fc.uint8Array({ maxLength: 100, size: 'max' })
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: request, socket: fc.integer() }) },
    { weight: 1, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 5 }) }) },
  )
  let wrapped = 0
  let full = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 150 }), steps => {
      const { push, take, reader } = ring(512)
      const model: { socket: number; origin: number[]; request: number[] }[] = []
      let pushes = 0
      let octets = 0
      for (const step of steps) {
        if ('push' in step) {
          pushes++
          if (push(step.socket, step.push)) {
            octets += 28 + step.push.length
            model.push({ socket: step.socket, origin: Array(3).fill(pushes), request: [...step.push] })
          } else {
            full++
            if (model.length === 0) return false
          }
        } else {
          for (let i = 0; i < step.take; i++) {
            const expected = model.shift()
            if (JSON.stringify(take()) !== JSON.stringify(expected)) return false
            if (expected && reader.received !== expected.origin[0]! * 1000) return false
          }
        }
      }
      if (octets > 512) wrapped++
      return true
    }),
    { numRuns: 300 },
  )
  t.ok(wrapped > 10 && full > 10, 'it wrapped, and it was full')
})

t.test('a full ring is left as it is, and takes again what was made room for', async t => {
  const { push, take } = ring(256)
  const request = new Uint8Array(36).fill(7)
  // 4 + 3 + 9 words: four of them fill it.
  for (let i = 0; i < 4; i++) t.equal(push(i, request), true)
  t.equal(push(4, request), false)
  t.equal(take()?.socket, 0)
  t.equal(push(5, request), false, 'a record is the reader’s until it goes to the next')
  t.equal(take()?.socket, 1)
  t.equal(push(6, request), true)
  t.strictSame([take()?.socket, take()?.socket, take()?.socket, take()], [2, 3, 6, undefined])
  t.equal(push(7, new Uint8Array(100)), true)
  t.equal(take()?.request.length, 100)
  t.equal(push(8, new Uint8Array(230)), false, 'one that never fits')
})

t.test('positions pass 2³²', async t => {
  const memory = ringMemory(256)
  const words = new Int32Array(memory)
  // The two counters, 16 words before they wrap: the writer's and the reader's.
  words[0] = -16
  words[32] = -16
  const { push, take } = ring(256, memory)
  for (let i = 0; i < 20; i++) {
    t.equal(push(i, new Uint8Array(50).fill(i)), true)
    t.match(take(), { socket: i, request: Array(50).fill(i) })
  }
})

t.test('the bell rings once, until the reader listens again', async t => {
  const { writer, reader, push, take } = ring(256)
  push(1, Buffer.alloc(20))
  t.equal(writer.mustWake(), true)
  push(2, Buffer.alloc(20))
  t.equal(writer.mustWake(), false)
  reader.listen()
  t.ok(take())
  t.ok(take())
  push(3, Buffer.alloc(20))
  t.equal(writer.mustWake(), true)
})

t.test('a thread that takes the place of another goes on where it stopped', async t => {
  const { memory, push, take } = ring(256)
  push(1, Buffer.alloc(50))
  const next = ring(256, memory)
  t.equal(next.push(2, Buffer.alloc(50)), true)
  t.strictSame([take()?.socket, take()?.socket, take()], [1, 2, undefined])
})
