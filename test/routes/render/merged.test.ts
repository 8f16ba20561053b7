/** The law of merged parts: any sequence of updates leaves what one makes, and the differences are those since the last `settle`. */
import fc from 'fast-check'
import t from 'tap'
import { inOrder } from '../../../src/routes/render/iptables-chains.ts'
import { Merged, type Part } from '../../../src/routes/render/merged.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 0xffffffff)

const part = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    items: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2'), { noNullPrototype: true }),
  })
  .map(
    ({ name, items }): Part<readonly string[]> => ({
      name,
      items: new Map(Object.entries(items).map(([key, value]) => [key, [`${name}${value}`]])),
    }),
  )

function fresh(parts: readonly Part<readonly string[]>[]) {
  const merged = new Merged(inOrder)
  merged.update(parts)
  return Object.fromEntries(merged.content())
}

t.test('content and differences', async t => {
  t.comment(`seed ${seed}`)
  const law = fc.property(
    fc.array(part, { minLength: 1, maxLength: 6 }).chain(pool =>
      fc.array(fc.record({ parts: fc.shuffledSubarray(pool), settles: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
    ),
    moves => {
      const merged = new Merged(inOrder)
      let settled: Record<string, readonly string[]> = {}
      for (const { parts, settles } of moves) {
        merged.update(parts)
        const now = fresh(parts)
        t.same(Object.fromEntries(merged.content()), now)
        const expected = [...new Set([...Object.keys(settled), ...Object.keys(now)])].filter(
          key => JSON.stringify(settled[key]) !== JSON.stringify(now[key]),
        )
        const found = merged.differences()
        t.same(new Set(found.keys()), new Set(expected))
        for (const [key, { before, after }] of found) t.same([before, after], [settled[key], now[key]])
        if (settles) {
          merged.settle()
          settled = now
        }
        if (!t.passing()) throw new Error('see above')
      }
    },
  )
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 300 }))
})
