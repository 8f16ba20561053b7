/** The law of the table: updates leave what one rebuild makes, and the revision moves when a route does. */
import fc from 'fast-check'
import t from 'tap'
import type { Changes, ClusterView, Projection } from '../../src/cluster/contract.ts'
import { RouteTable } from '../../src/routes/table.ts'
import { cluster } from '../helpers/cluster.ts'
import { keys, step, take } from '../helpers/route-changes.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 0xffffffff)
/** Everything that a table says. */
function contents(table: RouteTable): unknown {
  const routes = [...table.all()]
  return {
    routes,
    found: routes.map(({ ip, protocol, port }) => table.find(ip, protocol, port)),
    destinations: [...table.destinations()],
    routeless: [...table.routeless()],
    services: keys.map(key => table.service(key)),
    nothing: table.find('10.96.0.9', 'TCP', 80),
  }
}

/** A table that is compared with one rebuild after each commit. */
class Checked implements Projection {
  readonly #table = new RouteTable()

  rebuild(view: ClusterView): void {
    this.#table.rebuild(view)
  }

  update(view: ClusterView, changes: Changes): void {
    const { revision } = this.#table
    const before = JSON.stringify(contents(this.#table))
    const destinations = new Map([...this.#table.destinations()].map(known => [JSON.stringify(known), known]))
    this.#table.update(view, changes)
    const fresh = new RouteTable()
    fresh.rebuild(view)
    const after = JSON.stringify(contents(this.#table))
    if (after !== JSON.stringify(contents(fresh))) throw new Error(`updated: ${after}`)
    if ((after !== before) !== (this.#table.revision !== revision)) throw new Error(`revision: ${before} ${after}`)
    for (const now of this.#table.destinations()) {
      if ((destinations.get(JSON.stringify(now)) ?? now) !== now) throw new Error('an equal destination is another one')
    }
    this.#table.rebuild(view)
    if (after !== JSON.stringify(contents(this.#table))) throw new Error('rebuilt in place')
  }
}

t.test('updates leave what a rebuild makes', async t => {
  t.comment(`seed ${seed}`)
  const law = fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), steps => {
    const state = cluster()
    state.follow(new Checked())
    for (const each of steps) take(state, each)
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 300 }))
})
