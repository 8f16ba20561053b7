import fc from 'fast-check'
import t from 'tap'
import { framed, MessageStream } from '../../src/net/message-stream.ts'

t.test('gives messages as they are completed', async t => {
  const stream = new MessageStream()
  const octets = Buffer.concat([framed(Buffer.from('one')), framed(Buffer.from('two'))])
  t.strictSame(stream.push(octets.subarray(0, 1)), [])
  t.equal(stream.unfinished, true)
  t.strictSame(stream.push(octets.subarray(1, 6)), [Buffer.from('one')])
  t.strictSame(stream.push(octets.subarray(6)), [Buffer.from('two')])
  t.equal(stream.unfinished, false)
})

t.test('an empty message is a message', async t => {
  t.strictSame(new MessageStream().push(Buffer.from([0, 0, 0, 1, 7])), [Buffer.alloc(0), Buffer.from([7])])
})

t.test('where the stream is cut does not matter', async t => {
  const message = fc.uint8Array({ maxLength: 600 })
  const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(message), cuts, (messages, cuts) => {
      const octets = Buffer.concat(messages.map(framed))
      const stream = new MessageStream()
      const read: Buffer[] = []
      for (let at = 0, i = 0; at < octets.length; i++) {
        const size = cuts[i % cuts.length]!
        read.push(...stream.push(octets.subarray(at, at + size)))
        at += size
      }
      t.strictSame(
        read.map(each => each.toString('hex')),
        messages.map(each => Buffer.from(each).toString('hex')),
      )
    }),
    { seed: 7, numRuns: 50 },
  )
})
