import t from 'tap'
import { Fields } from '../../src/cluster/fields.ts'
import { type LabelSelector, selectorText, selects, trimSelector } from '../../src/cluster/label-selector.ts'

const selector = (json: object): LabelSelector => trimSelector(new Fields(json, 'podSelector'))
const expressions = (...matchExpressions: object[]) => selector({ matchExpressions })

t.test('label selectors: each operator', async t => {
  const labels = { app: 'web', tier: '' }
  const cases: [key: string, operator: string, values: string[] | undefined, selected: boolean][] = [
    ['app', 'In', ['web', 'api'], true],
    ['app', 'In', ['api'], false],
    ['old', 'In', ['web'], false],
    ['tier', 'In', [''], true],
    ['app', 'NotIn', ['api'], true],
    ['app', 'NotIn', ['web', 'api'], false],
    ['old', 'NotIn', ['web'], true],
    ['tier', 'Exists', undefined, true],
    ['old', 'Exists', undefined, false],
    ['constructor', 'Exists', undefined, false],
    ['app', 'DoesNotExist', undefined, false],
    ['old', 'DoesNotExist', [], true],
  ]
  for (const [key, operator, values, selected] of cases) {
    t.equal(selects(expressions({ key, operator, values }), labels), selected, `${key} ${operator} ${values}`)
  }
})

t.test('label selectors: everything in one must hold, and nothing in it selects everything', async t => {
  t.ok(selects(selector({}), {}))
  const both = selector({ matchLabels: { app: 'web' }, matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] })
  t.ok(selects(both, { app: 'web' }))
  t.notOk(selects(both, { app: 'web', old: '' }))
  t.notOk(selects(both, {}))
})

t.test('label selectors: as kubectl writes them', async t => {
  t.equal(selectorText(selector({})), '')
  const all = selector({
    matchLabels: { a: 'b', c: '' },
    matchExpressions: [
      { key: 'd', operator: 'In', values: ['x', 'y'] },
      { key: 'e', operator: 'NotIn', values: ['z'] },
      { key: 'f', operator: 'Exists' },
      { key: 'g', operator: 'DoesNotExist' },
    ],
  })
  t.equal(selectorText(all), 'a=b,c=,d in (x,y),e notin (z),f,!g')
})

t.test('label selectors: what the API does not take', async t => {
  const cases: [requirement: object, message: string][] = [
    [{ key: 'a', operator: 'Is' }, 'operator must be In, NotIn, Exists, DoesNotExist, got "Is"'],
    [{ operator: 'Exists' }, 'key is missing'],
    [{ key: 'a', operator: 'In' }, 'values is missing'],
    [{ key: 'a', operator: 'Exists', values: ['b'] }, 'values must be no values beside Exists, got ["b"]'],
  ]
  for (const [requirement, message] of cases) {
    t.throws(() => expressions(requirement), { message: `podSelector.matchExpressions[0].${message}` })
  }
})
