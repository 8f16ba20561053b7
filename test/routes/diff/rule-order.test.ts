/** Rules that no packet meets both of may stand in any order; of others the fewest that would have to move are told. */

import fc from 'fast-check'
import t from 'tap'
import { Rule } from '../../../src/routes/diff/iptables-rule.ts'
import { misplaced } from '../../../src/routes/diff/rule-order.ts'

const web = '-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j X'
const db = '-d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j Y'
const everywhere = '-p tcp -m tcp --dport 80 -j Z'
const dns = '-p udp -m udp --dport 53 -j Z'
const rest = '-m addrtype --dst-type LOCAL -j W'

/** The rules that would have to move. */
function moved(wanted: readonly string[], found: readonly string[]): string[] {
  const rules = wanted.map(text => new Rule(text, true))
  return misplaced(
    rules,
    wanted.map(text => found.indexOf(text)),
  ).map(i => wanted[i]!)
}

t.test('order that makes no difference', async t => {
  t.same(moved([web, db, rest], [db, web, rest]), [], 'addresses')
  t.same(moved([web, everywhere, dns], [dns, web, everywhere]), [], 'ports')
})

t.test('order that does', async t => {
  t.same(moved([web, everywhere], [everywhere, web]).length, 1)
  t.same(moved([web, db, dns, rest], [rest, web, db, dns]), [rest], 'the one rule that all others pass')
  t.same(moved([web, db, dns, rest], [web, dns, rest, db]), [db], 'the one rule that was put behind')
  t.same(moved(['-j A', '-j B', '-j C', '-j D'], ['-j A', '-j D', '-j B', '-j C']), ['-j D'])
})

t.test('one rule that was moved is one rule', async t => {
  const property = () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), (size, from, to) => {
        const wanted = Array.from({ length: size }, (_, i) => `-j T${i}`)
        const [rule] = wanted.slice(from % size)
        const others = wanted.filter(text => text !== rule)
        const found = others.toSpliced(to % size, 0, rule!)
        return moved(wanted, found).length <= 1
      }),
    )
  t.doesNotThrow(property)
})
