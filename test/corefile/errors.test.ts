import t from 'tap'
import { corefileError, renderMistake } from '../../src/corefile/errors.ts'
import { editDistance, hint, nearest } from '../../src/corefile/nearest.ts'
import { PortolanError } from '../../src/errors.ts'

function at(line: number, column: number) {
  return { file: 'Corefile', line, column }
}

t.test('a mistake is shown with its line', async t => {
  const source = '\uFEFF.:53 {\r\n    serve_stael 1h\r\n\tlog . "a \\"b\\" c" d\n    😀 x#y\n    "open\n'
  const show = (line: number, column: number) =>
    renderMistake(corefileError('PORTOLAN_COREFILE_SYNTAX', at(line, column), 'wrong'), source)
      .split('\n')
      .slice(1)
  t.strictSame(show(2, 5), ['   2 |     serve_stael 1h', '     |     ^^^^^^^^^^^'])
  t.strictSame(show(3, 8), ['   3 | \tlog . "a \\"b\\" c" d', '     | \t      ^^^^^^^^^^^'])
  t.strictSame(show(4, 7), ['   4 |     😀 x#y', '     |       ^'])
  t.strictSame(show(5, 5), ['   5 |     "open', '     |     ^^^^^'])
  t.strictSame(show(1, 7), ['   1 | .:53 {', '     |       ^'])
  t.strictSame(show(9, 1), [])
  t.strictSame(renderMistake(new PortolanError('PORTOLAN_X', 'no place'), source), 'no place')
})

t.test('a warning has the same shape', async t => {
  const warning = { at: at(1, 1), message: 'never\napplies' }
  t.equal(
    renderMistake(warning, 'autopath @kubernetes'),
    'Corefile:1:1: warning: never\\x0aapplies\n   1 | autopath @kubernetes\n     | ^^^^^^^^',
  )
})

t.test('an error keeps its place, its code and its cause', async t => {
  const cause = new Error('x')
  const error = corefileError('PORTOLAN_COREFILE_KEY', { ...at(2, 3), extra: true } as never, 'bad', cause)
  t.match(error, { message: 'Corefile:2:3: bad', code: 'PORTOLAN_COREFILE_KEY', cause })
  t.strictSame(error.at, at(2, 3))
})

t.test('the nearest word', async t => {
  const known = ['cache', 'forward', 'kubernetes', 'loop', 'log', 'serve_stale', 'serve_stale_policy']
  const table: [string, string | undefined][] = [
    ['serve_stael', 'serve_stale'],
    ['kubernets', 'kubernetes'],
    ['kuberentes', 'kubernetes'],
    ['chace', 'cache'],
    ['lop', 'loop'],
    ['lo', 'log'],
    ['foward', 'forward'],
    ['blocklist', undefined],
    ['x', undefined],
    ['', undefined],
    ['Cache', 'cache'],
  ]
  for (const [word, expected] of table) t.equal(nearest(word, known), expected, word)
  t.equal(hint('chace', known), ': did you mean "cache"?')
  t.equal(hint('blocklist', known), '')
})

t.test('edit distance', async t => {
  const table: [string, string, number][] = [
    ['', '', 0],
    ['abc', '', 3],
    ['', 'ab', 2],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'bc', 1],
    ['abc', 'abxc', 1],
    ['ab', 'xy', 2],
    ['kitten', 'sitting', 3],
  ]
  for (const [from, to, distance] of table) t.equal(editDistance(from, to), distance, `${from} ${to}`)
})
