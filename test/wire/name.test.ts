import fc from 'fast-check'
import t from 'tap'
import {
  isWithin,
  isWithinAny,
  keyFromText,
  keyOfName,
  labelsOf,
  lowered,
  type NameKey,
  nameFromKey,
  nameFromText,
  nameOf,
  nameToText,
  parentOf,
  ROOT,
  textFromKey,
} from '../../src/wire/name.ts'
import { newSeed } from './random.ts'

const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString('hex')

const LONGEST_LABEL = 'x'.repeat(63)

t.test('text to octets', async t => {
  const names: readonly (readonly [string, string])[] = [
    ['', '00'],
    ['.', '00'],
    ['a', '016100'],
    ['a.', '016100'],
    ['a.bc', '016102626300'],
    ['A.Bc.', '014102426300'],
    ['_http._tcp.web', '055f68747470045f7463700377656200'],
    ['a\\.b.c', '03612e62016300'],
    ['\\065\\046\\000', '03412e0000'],
    ['a\\\\b', '03615c6200'],
    ['\\255', '01ff00'],
    ['\\ ', '012000'],
    ['é', '01e900'],
    [LONGEST_LABEL, `3f${'78'.repeat(63)}00`],
  ]
  for (const [text, octets] of names) t.equal(hex(nameFromText(text)), octets, JSON.stringify(text))
})

t.test('text that is no name', async t => {
  const long = [LONGEST_LABEL, LONGEST_LABEL, LONGEST_LABEL].join('.')
  t.ok(nameFromText(`${long}.${'x'.repeat(61)}.`), '255 octets are allowed')
  for (const text of [
    '..',
    '.a',
    'a..b',
    'a..',
    `${LONGEST_LABEL}x`,
    `${long}.${'x'.repeat(62)}`,
    'a\\',
    '\\256',
    '\\999',
    'a.\\300.b',
    'Ā',
    '日',
  ]) {
    t.equal(nameFromText(text), undefined, JSON.stringify(text))
    t.equal(keyFromText(text), undefined)
  }
})

t.test('octets to text', async t => {
  const names: readonly (readonly [string, string])[] = [
    ['00', '.'],
    ['01410000', 'A.'],
    ['03612e62016300', 'a\\.b.c.'],
    ['08000a20222e5c7fff00', '\\000\\010\\032\\"\\.\\\\\\127\\255.'],
    ['0528293b402400', '\\(\\)\\;\\@\\$.'],
  ]
  for (const [octets, text] of names) t.equal(nameToText(Buffer.from(octets, 'hex')), text)
  t.equal(nameToText(Buffer.from('ffff016100', 'hex'), 2), 'a.', 'from a position on')
})

const label = fc.uint8Array({ minLength: 1, maxLength: 63 })
const name = fc
  .array(label, { maxLength: 12 })
  .map(labels => Buffer.concat([...labels.flatMap(octets => [Buffer.of(octets.length), octets]), Buffer.of(0)]))
  .filter(octets => octets.length <= 255)

t.test('any octets survive text and key', async t => {
  const seed = newSeed(t)
  const law = fc.property(name, octets => {
    const text = nameToText(octets)
    const key = keyOfName(octets)
    const spelled = nameFromText(text)
    return (
      hex(spelled) === hex(octets) &&
      /^[!-~]+$/.test(text) &&
      keyFromText(text) === key &&
      key === keyOfName(nameFromKey(key)) &&
      textFromKey(key) === nameToText(nameFromKey(key)) &&
      hex(nameOf(labelsOf(key), Uint8Array.of(0))) === hex(nameFromKey(key))
    )
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 2_000 }))
})

t.test('keys fold the case of letters and of nothing else', async t => {
  t.equal(keyFromText('ÀZ[@`{'), keyFromText('Àz[@`{'))
  t.not(keyFromText('À'), keyFromText('à'), 'letters beyond ASCII are octets')
  t.not(keyFromText('\\091'), keyFromText('\\123'))
  t.equal(keyOfName(Buffer.from('ff0141026263000161', 'hex'), 1), '\x01a\x02bc\0')
  t.equal(lowered(Buffer.from('ff014100ff', 'hex'), 1, 4), '\x01a\0')
})

const key = (text: string) => keyFromText(text)!

t.test('a name is within a zone at label boundaries only', async t => {
  const within: readonly (readonly [string, string])[] = [
    ['a.b.c', 'b.c'],
    ['b.c', 'b.c'],
    ['B.c', 'b.C'],
    ['a', '.'],
    ['.', '.'],
  ]
  for (const [text, zone] of within) t.equal(isWithin(key(text), key(zone)), true, `${text} in ${zone}`)
  const without: readonly (readonly [string, string])[] = [
    ['c', 'b.c'],
    ['ab.c', 'b.c'],
    ['.', 'c'],
    ['a.b.d', 'b.c'],
    // The tail of the long label reads like the name `b.`.
    ['x\\001b', 'b'],
  ]
  for (const [text, zone] of without) t.equal(isWithin(key(text), key(zone)), false, `${text} in ${zone}`)
})

t.test('a name is within one of several zones', async t => {
  t.equal(isWithinAny(key('a.b'), [key('c'), key('b')]), true)
  t.equal(isWithinAny(key('a.b'), [key('c'), key('d')]), false)
  t.equal(isWithinAny(key('a.b'), []), false)
})

t.test('a name is within each of its parents', async t => {
  const seed = newSeed(t)
  const law = fc.property(name, octets => {
    const start = keyOfName(octets)
    let at: NameKey = start
    let labels = labelsOf(start).length
    for (; at !== ROOT; at = parentOf(at), labels--) {
      if (!isWithin(start, at) || labelsOf(at).length !== labels) return false
    }
    return labels === 0
  })
  t.doesNotThrow(() => fc.assert(law, { seed, numRuns: 500 }))
})

t.test('labels in front of a name', async t => {
  const suffix = nameFromText('cluster.local')!
  t.equal(nameToText(nameOf(['web', 'a.b'], suffix)!), 'web.a\\.b.cluster.local.')
  t.strictSame(labelsOf(key('web.a\\.b')), ['web', 'a.b'])
  t.strictSame(labelsOf('\x03web'), ['web'], 'a name without its end')
  t.equal(nameOf([''], suffix), undefined)
  t.equal(nameOf([`${LONGEST_LABEL}x`], suffix), undefined)
  t.equal(nameOf(Array(4).fill(LONGEST_LABEL), suffix), undefined)
  t.equal(hex(nameOf([], suffix)), hex(suffix))
})
