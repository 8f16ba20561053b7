import t from 'tap'
import { Blocks } from '../../src/table/blocks.ts'
import { Control, LINE, MAX_READERS, UNITS } from '../../src/table/layout.ts'

const blocksOf = (limit = 2 ** 24) => {
  const control = new Int32Array(new SharedArrayBuffer(Control.WORDS * 4))
  return { control, blocks: new Blocks(control, limit, 'epochs') }
}

/** A reader as its thread is: it knows the two words. */
const readerOf = (control: Int32Array, number: number) => ({
  enter: () => Atomics.store(control, Control.READERS + number * LINE, Atomics.load(control, Control.EPOCH)),
  leave: () => Atomics.store(control, Control.READERS + number * LINE, 0),
})

const words = (count: number) => new Int32Array(count).fill(count >> 2, UNITS, UNITS + 1)

t.test('without readers, what is retired is free at the end of the commit', async t => {
  const { blocks } = blocksOf()
  const ref = blocks.make(words(64))
  blocks.retire(ref)
  t.equal(blocks.limbo, 256)
  t.equal(blocks.arena.used, 16, 'not before')
  blocks.advance()
  t.equal(blocks.limbo, 0)
  t.equal(blocks.arena.used, 0)
  blocks.retire(0)
  t.equal(blocks.limbo, 0, 'ref 0 is nothing')
})

t.test('a reader holds what was retired since its batch began, and nothing older', async t => {
  const { blocks, control } = blocksOf()
  const [slow, quick] = [readerOf(control, blocks.openReader()), readerOf(control, blocks.openReader())]
  const [a, b, c] = [blocks.make(words(4)), blocks.make(words(4)), blocks.make(words(4))]
  quick.enter()
  blocks.retire(a)
  blocks.advance()
  t.equal(blocks.limbo, 16, 'a reader was there before')
  slow.enter()
  quick.leave()
  blocks.advance()
  t.equal(blocks.limbo, 0, 'the one that came later cannot see it')
  blocks.retire(b)
  blocks.advance()
  quick.enter()
  blocks.retire(c)
  blocks.advance()
  t.equal(blocks.limbo, 32)
  quick.leave()
  blocks.advance()
  t.equal(blocks.limbo, 32, 'the oldest one decides')
  slow.leave()
  blocks.advance()
  t.equal(blocks.limbo, 0)
})

t.test('a long commit reclaims on its way', async t => {
  const { blocks } = blocksOf()
  for (let i = 0; i < 10_000; i++) blocks.retire(blocks.make(words(400)))
  t.ok(blocks.limbo < 2 ** 20 && blocks.arena.buffer.byteLength <= 2 ** 22)
})

t.test('tasks wait for the readers of their time', async t => {
  const { blocks, control } = blocksOf()
  const reader = readerOf(control, blocks.openReader())
  const done: string[] = []
  reader.enter()
  blocks.afterReaders(() => done.push('first'))
  blocks.advance()
  t.same(done, [])
  reader.leave()
  reader.enter()
  blocks.afterReaders(() => done.push('second'))
  blocks.advance()
  t.same(done, ['first'])
})

t.test('epochs go round without passing 0', async t => {
  const { blocks, control } = blocksOf()
  const reader = readerOf(control, blocks.openReader())
  for (const start of [2 ** 31 - 2, -2]) {
    Atomics.store(control, Control.EPOCH, start)
    for (let i = 0; i < 4; i++) {
      reader.enter()
      blocks.retire(blocks.make(words(4)))
      blocks.advance()
      t.not(Atomics.load(control, Control.EPOCH), 0)
      t.equal(blocks.limbo, 16, 'held')
      reader.leave()
      blocks.retire(blocks.make(words(4)))
      blocks.advance()
      t.equal(blocks.limbo, 0, 'freed')
    }
  }
})

t.test('a reader that is closed holds nothing, and its number is given again', async t => {
  const { blocks, control } = blocksOf()
  const numbers = Array.from({ length: MAX_READERS }, () => blocks.openReader())
  t.equal(new Set(numbers).size, MAX_READERS)
  t.throws(() => blocks.openReader(), { code: 'PORTOLAN_TABLE_READERS' })
  readerOf(control, 7).enter()
  blocks.retire(blocks.make(words(4)))
  blocks.advance()
  t.equal(blocks.limbo, 16)
  blocks.closeReader(7)
  blocks.advance()
  t.equal(blocks.limbo, 0)
  t.equal(blocks.openReader(), 7)
})

t.test('a full arena waits for nobody: it says so', async t => {
  const { blocks, control } = blocksOf(2 ** 21)
  const reader = readerOf(control, blocks.openReader())
  reader.enter()
  const large = blocks.make(words(2 ** 18))
  blocks.retire(large)
  t.throws(() => blocks.make(words(2 ** 18)), { code: 'PORTOLAN_TABLE_FULL', message: /may take 2097152 octets/ })
  reader.leave()
  t.equal(blocks.make(words(2 ** 18)), large, 'what readers have left is taken at once')
})

t.test('where the system has no more memory the arena is full too', async t => {
  const { blocks } = blocksOf()
  const { buffer } = blocks.arena
  buffer.grow = () => {
    throw new RangeError('SharedArrayBuffer.prototype.grow: Invalid length parameter')
  }
  const full = { code: 'PORTOLAN_TABLE_FULL', message: /may take 16777216 octets, has 1048576, and 2097152 more/ }
  t.throws(() => blocks.make(words(2 ** 19)), full)
  Reflect.deleteProperty(buffer, 'grow')
  t.ok(blocks.make(words(2 ** 19)) > 0, 'until it has')
})
