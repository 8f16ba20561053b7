import t from 'tap'
import { CutDraft } from '../../src/plugin/cut-draft.ts'
import { NO_FOOTPRINT } from '../../src/plugin/footprint.ts'
import type { CacheSpace, ZoneSpace } from '../../src/table/contract.ts'
import { ROOT } from '../../src/wire/name.ts'

const zone = { id: 1 } as ZoneSpace
const other = { id: 2 } as ZoneSpace
const front = { id: 3 } as ZoneSpace
const kept = { id: 4 } as CacheSpace
const counter = { add: () => undefined }
const counters = { requests: counter, success: counter, denial: counter }
const keep = (cut: CutDraft) => cut.cache(kept, [1, 2], [3, 4], counters)

/** What comes of links that stand in this order. */
function made(...links: readonly ((cut: CutDraft) => void)[]) {
  const cut = new CutDraft(ROOT, ROOT, '')
  for (const link of links) link(cut)
  return cut.finish(({ traffic }) => (traffic ? 1 : 0))
}

t.test('whatever only some of the answers pass hides the others', async t => {
  const edits: ((cut: CutDraft) => void)[] = [
    cut => cut.rotate(),
    cut => cut.limit(600),
    cut => cut.see('positives'),
    cut => cut.see('negatives'),
    cut => cut.count('dns://:53', '.'),
  ]
  for (const edit of edits) {
    const before = made(edit, keep, cut => cut.zone(zone, true))
    t.match(before, { ask: false, zone: 1, cache: 4 }, 'in front of all')
    t.notSame(
      before,
      made(keep, cut => cut.zone(zone, true)),
      'it shows',
    )
    t.match(
      made(keep, edit, cut => cut.zone(zone, true)),
      { ask: true },
      'between cache and zone',
    )
    t.match(made(keep, edit), { ask: false, cache: 4, rotate: false, size: 0, positives: true }, 'behind the cache')
    t.same(
      made(cut => cut.zone(zone, false), edit, keep),
      made(cut => cut.zone(zone, false)),
      'between zone and cache',
    )
  }
})

t.test('what is said twice', async t => {
  t.match(
    made(
      cut => cut.limit(600),
      cut => cut.limit(500),
      cut => cut.limit(700),
      keep,
    ),
    { size: 500 },
  )
  t.match(
    made(
      cut => cut.count('a', '.'),
      cut => cut.count('b', '.'),
      keep,
    ),
    { ask: true },
  )
  t.match(
    made(
      cut => cut.zone(zone, true),
      cut => cut.zone(other, true),
    ),
    { ask: true },
  )
  t.match(
    made(keep, keep, cut => cut.zone(zone, true)),
    { ask: true },
  )
  t.match(
    made(
      cut => cut.front(front),
      cut => cut.front(other),
      cut => cut.zone(zone, true),
    ),
    { ask: true },
  )
})

t.test('names in front', async t => {
  t.match(
    made(
      cut => cut.front(front),
      cut => cut.zone(zone, true),
    ),
    { front: 3, zone: 1 },
  )
  t.match(
    made(
      keep,
      cut => cut.front(front),
      cut => cut.zone(zone, true),
    ),
    { front: 3, zone: 1, cache: 4 },
  )
  t.match(
    made(keep, cut => cut.front(front)),
    { front: -1, cache: 4 },
    'without a zone the cache comes first',
  )
  t.match(
    made(cut => cut.front(front), keep),
    { ask: true },
    'a cache behind them has nothing to say',
  )
  t.match(
    made(
      cut => cut.zone(zone, false),
      cut => cut.front(front),
    ),
    { front: -1, zone: 1 },
    'names behind the zone',
  )
})

t.test('counting', async t => {
  const seen: unknown[] = []
  const finish = (...links: ((cut: CutDraft) => void)[]) => {
    const cut = new CutDraft(ROOT, ROOT, '')
    for (const link of links) link(cut)
    return cut.finish(counting => seen.push(counting)).counter
  }
  t.equal(
    finish(cut => cut.zone(zone, true)),
    -1,
    'nobody counts',
  )
  t.equal(finish(NO_FOOTPRINT.declare, keep), 1, 'the cache does')
  t.equal(
    finish(cut => cut.count('dns://:53', '.'), keep),
    2,
  )
  t.same(seen, [
    { traffic: undefined, cache: counters },
    { traffic: { server: 'dns://:53', zone: '.' }, cache: counters },
  ])
})

t.test('a link that answers names that do not exist', async t => {
  const zoned = [(cut: CutDraft) => cut.expand(), keep, (cut: CutDraft) => cut.zone(zone, true)]
  for (const links of [zoned, zoned.toReversed()])
    t.match(made(...links), { ask: false, zone: 1, cache: -1, closed: false, negatives: true })
  t.match(
    made(cut => cut.expand(), keep),
    { ask: true },
    'a cache may keep that there is no such name',
  )
})
