import t from 'tap'
import { matchesLabels, parseSelector } from '../../src/cluster/labels.ts'

t.test('labels: a selector selects what the API server selects', async t => {
  const cases: [selector: string, labels: Record<string, string>, selected: boolean][] = [
    ['', {}, true],
    ['  ', { a: 'b' }, true],
    ['a=b', { a: 'b', c: 'd' }, true],
    ['a=b', { a: 'c' }, false],
    ['a=b', {}, false],
    ['a==b', { a: 'b' }, true],
    ['a=', { a: '' }, true],
    ['a=', {}, false],
    ['a=,b=c', { a: '', b: 'c' }, true],
    ['a!=b', { a: 'c' }, true],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a in (x,y)', { a: 'y' }, true],
    ['a in (x, y)', { a: 'z' }, false],
    ['a in (x)', {}, false],
    ['a in ()', { a: '' }, true],
    ['a in (x,,z)', { a: '' }, true],
    ['a notin (x,y)', { a: 'x' }, false],
    ['a notin (x,y)', { a: 'z' }, true],
    ['a notin (x,y)', {}, true],
    ['a', { a: '' }, true],
    ['a', {}, false],
    ['!a', {}, true],
    ['! a', { a: '1' }, false],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['app.kubernetes.io/name=web , tier notin (db),!legacy', { 'app.kubernetes.io/name': 'web', tier: 'front' }, true],
    ['a=b,c!=d,e in (x,y),f notin (z),g,!h', { a: 'b', e: 'x', g: '' }, true],
    ['a=b,c!=d,e in (x,y),f notin (z),g,!h', { a: 'b', e: 'x', g: '', h: '' }, false],
    ['constructor', {}, false],
  ]
  for (const [selector, labels, selected] of cases) {
    t.equal(parseSelector(selector)(labels), selected, `${selector || '(empty)'} on ${JSON.stringify(labels)}`)
  }
})

t.test('labels: a broken selector says where and what was expected', async t => {
  const cases: [selector: string, message: string][] = [
    ['a=b,', 'expected a label after "," at column 5, found the end'],
    [',a', 'expected a label at column 1, found ","'],
    ['a b', 'expected =, ==, !=, in or notin at column 3, found "b"'],
    ['a>1', 'expected =, ==, !=, in or notin at column 2, found ">"'],
    ['a in x', 'expected "(" at column 6, found "x"'],
    ['a in (x', 'expected "," or ")" at column 8, found the end'],
    ['a in (x y)', 'expected "," or ")" at column 9, found "y"'],
    ['a=b c', 'expected "," or the end at column 5, found "c"'],
    ['!a=b', 'expected "," or the end at column 3, found "="'],
    ['a===b', 'expected a value at column 4, found "="'],
    ['a=-b', 'expected a value at column 3, found "-b"'],
    ['Up.Per/a=b', 'expected a label at column 1, found "Up.Per/a"'],
    [`a=${'x'.repeat(64)}`, `expected a value at column 3, found "${'x'.repeat(64)}"`],
  ]
  for (const [selector, message] of cases) {
    t.throws(() => parseSelector(selector), {
      code: 'PORTOLAN_SELECTOR',
      message: `label selector "${selector}": ${message}`,
    })
  }
})

t.test('labels: the selector of a service is a mapping', async t => {
  t.equal(matchesLabels({ app: 'web' }, { app: 'web', tier: 'front' }), true)
  t.equal(matchesLabels({ app: 'web', tier: 'back' }, { app: 'web', tier: 'front' }), false)
  t.equal(matchesLabels({}, {}), true)
  t.equal(matchesLabels({ toString: 'x' }, {}), false)
})
