/** Lists taken apart in chunks of any size, against `JSON.parse` of the whole. */
import fc from 'fast-check'
import t from 'tap'
import { ListSplitter } from '../../src/sources/apiserver/list-splitter.ts'

/** The items and the frame of a text that comes in chunks of so many octets, the last size for all that follow. */
function split(text: string, sizes: readonly number[]): { items: unknown[]; frame: unknown } {
  const octets = Buffer.from(text)
  const list = new ListSplitter()
  const items: unknown[] = []
  for (let at = 0, n = 0; at < octets.length; n++) {
    const size = sizes[Math.min(n, sizes.length - 1)]!
    for (const item of list.push(octets.subarray(at, at + size))) items.push(JSON.parse(item))
    at += size
  }
  return { items, frame: JSON.parse(list.end()) }
}

t.test('any list in any chunks', async t => {
  const items = fc.array(
    fc.oneof(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), fc.array(fc.jsonValue())),
  )
  const list = fc.tuple(fc.jsonValue(), items, fc.jsonValue(), fc.constantFrom(undefined, 1))
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
  const law = fc.property(list, sizes, ([before, items, after, indent], sizes) => {
    const found = split(JSON.stringify({ before, items, after }, undefined, indent), sizes)
    const wanted = JSON.parse(JSON.stringify({ items, frame: { before, items: [], after } }))
    if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(JSON.stringify({ found, wanted }))
  })
  t.doesNotThrow(() => fc.assert(law, { numRuns: 500 }))
})

t.test('only the list’s own items are', async t => {
  const frames = [
    { items: null },
    { metadata: { items: [{ a: 1 }] }, items: [] },
    { text: '"items":[{', 'x"items': [{ a: 1 }] },
    [{ items: [{ a: 1 }] }],
  ]
  for (const frame of frames) t.strictSame(split(JSON.stringify(frame), [3]), { items: [], frame })
})
