import fc from 'fast-check'
import t from 'tap'
import type { Directive } from '../../src/corefile/directive.ts'
import type { CorefileFiles } from '../../src/corefile/files.ts'
import { diskFiles } from '../../src/corefile/files.ts'
import { serverAddressText } from '../../src/corefile/keys.ts'
import { type ParseOptions, parseCorefile } from '../../src/corefile/parser.ts'
import { directivesNamed, onlyDirective } from '../../src/corefile/server-block.ts'
import { PortolanError } from '../../src/errors.ts'

/** Files by path; a pattern finds those that start like it and end like it. */
function filesOf(texts: Record<string, string>): CorefileFiles {
  return {
    read(path) {
      const text = texts[path]
      if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
      return text
    },
    glob(pattern) {
      const [start = '', end = ''] = pattern.split('*')
      return Object.keys(texts).filter(path => path.startsWith(start) && path.endsWith(end))
    },
  }
}

/** A block as one line: `zone ...: name(arg arg){line; line}; ...`. */
function outline(text: string, options: ParseOptions = {}): string[] {
  return parseCorefile(text, options).map(({ addresses, directives }) => {
    return `${addresses.map(serverAddressText).join(' ')}: ${directives.map(line).join('; ')}`
  })
}

function line({ name, args, block }: Directive): string {
  const inside = block === undefined ? '' : `{${block.map(line).join('; ')}}`
  return `${[name, ...args.map(arg => arg.text)].join(' ')}${inside}`
}

t.test('server blocks', async t => {
  const table: [string, string, string[]][] = [
    ['one', '. {\n log\n}', ['dns://.:53: log']],
    ['two keys', 'a b:1 {\n}', ['dns://a.:53 dns://b.:1: ']],
    ['commas', 'a, b,\nc {\n}', ['dns://a.:53 dns://b.:53 dns://c.:53: ']],
    ['an empty word among the keys', 'a "" {\n}', ['dns://a.:53: ']],
    ['the brace on the next line', 'a\n{\n log\n}', ['dns://a.:53: log']],
    ['the first plugin on the line of the brace', 'a { log\n}', ['dns://a.:53: log']],
    ['the next block on the line of the brace', 'a {\n} b {\n}', ['dns://a.:53: ', 'dns://b.:53: ']],
    ['without braces', 'a\nlog x\ncache {\n y\n}\n', ['dns://a.:53: log x; cache{y}']],
    ['nothing but keys', 'a, b', ['dns://a.:53 dns://b.:53: ']],
  ]
  for (const [name, text, expected] of table) t.strictSame(outline(text), expected, name)
})

t.test('lines and blocks', async t => {
  const table: [string, string, string][] = [
    ['arguments', 'log . "a b" {c}', 'log . a b {c}'],
    ['a block', 'cache 30 {\n success 1\n keepttl\n}', 'cache 30{success 1; keepttl}'],
    ['an empty block', 'cache { }', 'cache{}'],
    ['an option on the line of the brace', 'cache { success 1\n}', 'cache{success 1}'],
    ['a block in a block', 'a {\n b {\n  c\n }\n d\n}', 'a{b{c}; d}'],
    ['quoted braces', 'a "{" "}"', 'a { }'],
    ['import is a word where no line starts', 'log import x', 'log import x'],
    ['a quoted "import" is a name', '"import" x', 'import x'],
    [
      'templates',
      'template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n}',
      'template IN A{answer {{ .Name }} 60 IN A 192.0.2.1}',
    ],
    ['a joined line', 'forward . 192.0.2.1 \\\n 192.0.2.2', 'forward . 192.0.2.1 192.0.2.2'],
  ]
  for (const [name, text, expected] of table)
    t.strictSame(outline(`. {\n${text}\n}`), [`dns://.:53: ${expected}`], name)
})

t.test('snippets', async t => {
  const table: [string, string, string[]][] = [
    ['plugins', '(s) {\n log\n errors\n}\na {\n import s\n cache\n}', ['dns://a.:53: log; errors; cache']],
    [
      'options',
      '(s) {\n success 1\n}\na {\n cache {\n import s\n keepttl\n }\n}',
      ['dns://a.:53: cache{success 1; keepttl}'],
    ],
    [
      'a snippet of a snippet',
      '(s) {\n log\n}\n(r) {\n import s\n errors\n}\na {\n import r\n}',
      ['dns://a.:53: log; errors'],
    ],
    ['twice', '(s) {\n log\n}\na {\n import s\n import s\n}', ['dns://a.:53: log; log']],
    ['on one line', '(s) { log }\na {\n import s\n errors\n}', ['dns://a.:53: log; errors']],
    ['empty', '(s) {\n}\na {\n import s\n}', ['dns://a.:53: ']],
    ['a server block', '(s) {\n b {\n log\n }\n}\nimport s\n', ['dns://b.:53: log']],
    ['its brace on the next line', '(s)\n{\n log\n}\na\nimport s', ['dns://a.:53: log']],
    ['never used', '(s) {\n log\n}', []],
    ['by a variable', '(s) {\n log\n}\na {\n import {$S}\n}', ['dns://a.:53: log']],
  ]
  for (const [name, text, expected] of table) t.strictSame(outline(text, { env: { S: 's' } }), expected, name)
})

t.test('imports of files', async t => {
  const files = filesOf({
    'dns/log.conf': 'log',
    'dns/parts/more.conf': 'import ../log.conf\nerrors',
    'dns/zones.conf': 'b c',
    'dns/empty.conf': '# nothing',
    'dns/server.conf': 'b {\n import parts/more.conf\n}\n(s) {\n whoami\n}',
    '/abs/cache.conf': 'cache',
    'dns/d/1.x': 'cache 1',
    'dns/d/2.x': 'cache 2',
  })
  const table: [string, string, string[]][] = [
    ['in a server block', 'a {\n import log.conf\n cache\n}', ['dns://a.:53: log; cache']],
    ['relative to the file that the line stands in', 'a {\n import parts/more.conf\n}', ['dns://a.:53: log; errors']],
    ['absolute', 'a {\n import /abs/cache.conf\n}', ['dns://a.:53: cache']],
    ['keys', 'a,\nimport zones.conf\n{\n log\n}', ['dns://a.:53 dns://b.:53 dns://c.:53: log']],
    [
      'a server block and a snippet',
      'import server.conf\na {\n import s\n}',
      ['dns://b.:53: log; errors', 'dns://a.:53: whoami'],
    ],
    ['nothing', 'import empty.conf\na {\n import empty.conf\n}\nimport empty.conf', ['dns://a.:53: ']],
    ['in the order of their names', 'a {\n import d/*.x\n}', ['dns://a.:53: cache 1; cache 2']],
    ['a pattern that finds nothing', 'a {\n import e/*.x\n}\nimport e/*.y', ['dns://a.:53: ']],
  ]
  for (const [name, text, expected] of table)
    t.strictSame(outline(text, { files, file: 'dns/Corefile' }), expected, name)
  const [block] = parseCorefile('a {\n import parts/more.conf\n}', { files, file: 'dns/Corefile' })
  t.strictSame(
    block?.directives.map(directive => directive.at),
    [
      { file: 'dns/log.conf', line: 1, column: 1 },
      { file: 'dns/parts/more.conf', line: 2, column: 1 },
    ],
  )
})

t.test('imports that never end', async t => {
  const bomb = Array.from({ length: 15 }, (_, i) => `(s${i + 1}) {\n import s${i}\n import s${i}\n}\n`).join('')
  t.throws(() => parseCorefile(`(s0) {\n log\n}\n${bomb}. {\n import s15\n}`), {
    code: 'PORTOLAN_COREFILE_IMPORT',
    message: /more than 10000 imports/,
  })
  const files = filesOf({ Corefile: 'import Corefile' })
  t.throws(() => parseCorefile('import Corefile', { files }), {
    message: 'Corefile:1:8: the file Corefile imports itself',
  })
})

t.test('files on the disk', async t => {
  const folder = t.testdir({
    Corefile: 'import zones/*.conf\nimport zones/a?.conf\nimport none/*.conf\nimport */c.conf',
    zones: { 'b.conf': 'b {\n}', 'a.conf': 'a {\n}', 'a1.conf': 'a1 {\n}', 'x.txt': 'x', 'b+conf': 'y' },
    other: { 'c.conf': 'c {\n}' },
    Secret: { 'nested.conf': {} },
  })
  const read = (text: string) => parseCorefile(text, { file: `${folder}/Corefile` })
  const zones = read(diskFiles.read(`${folder}/Corefile`)).flatMap(({ addresses }) => addresses.map(({ zone }) => zone))
  t.strictSame(zones, ['a.', 'a1.', 'b.', 'a1.', 'c.'])
  t.throws(() => read('import Secret/*'), { message: /Secret\/nested.conf: it is a folder/ })
  t.throws(() => read('import x/y'), { code: 'PORTOLAN_COREFILE_IMPORT', cause: { code: 'ENOENT' } })
  t.throws(() => read('import Corefile/x'), { message: /ENOTDIR/ })
  t.throws(() => read('import "x\0/*"'), { code: 'PORTOLAN_COREFILE_IMPORT', message: /Corefile:1:8: cannot import/ })
})

t.test('a plugin used more than once', async t => {
  const [block] = parseCorefile('. {\n forward a 192.0.2.1\n log\n forward b 192.0.2.2\n}')
  t.strictSame(directivesNamed(block!, 'forward').map(line), ['forward a 192.0.2.1', 'forward b 192.0.2.2'])
  t.equal(onlyDirective(block!, 'log')?.at.line, 3)
  t.equal(onlyDirective(block!, 'cache'), undefined)
  t.throws(() => onlyDirective(block!, 'forward'), {
    code: 'PORTOLAN_COREFILE_PLUGIN',
    message: 'Corefile:4:2: forward: can be used once per server block, and is already used at Corefile:2:2',
  })
})

t.test('any text gives server blocks, or an error with a place', async t => {
  const word = fc.constantFrom(
    'a',
    '.',
    '{',
    '}',
    '\n',
    '(s)',
    'import',
    's',
    '"',
    '#',
    ',',
    'x*',
    '10.0.0.0/7',
    '{$A}',
    '\\',
  )
  const text = fc.oneof(
    fc.array(word, { maxLength: 40 }).map(words => words.join(' ')),
    fc.string({ unit: 'binary' }),
  )
  const files = filesOf({ s: 'import x', x: 'log\n', x1: '} {' })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, text => {
        try {
          parseCorefile(text, { files, env: { A: 's' } })
        } catch (error) {
          return error instanceof PortolanError && error.at !== undefined && !error.message.includes('\n')
        }
        return true
      }),
      { numRuns: 1000 },
    ),
  )
})
