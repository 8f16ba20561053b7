import fc from 'fast-check'
import t from 'tap'
import { type Environment, lex } from '../../src/corefile/lexer.ts'
import { PortolanError } from '../../src/errors.ts'

function tokens(text: string, env: Environment = {}, warnings: string[] = []) {
  return lex(text, { file: 'Corefile', env, warn: ({ message }) => warnings.push(message) })
}

/** Each line as its words, quoted ones in quotes. */
function lines(text: string, env: Environment = {}): string[] {
  const result: string[] = []
  for (const { text: word, quoted, startsLine } of tokens(text, env)) {
    const shown = quoted ? JSON.stringify(word) : word
    if (startsLine) result.push(shown)
    else result.push(`${result.pop()} ${shown}`)
  }
  return result
}

t.test('words and lines', async t => {
  const table: [string, string, string[]][] = [
    ['nothing', '', []],
    ['white space', ' \t\r\n\v\f\u0085\u00a0\u3000\n', []],
    ['words', 'a b\nc', ['a b', 'c']],
    ['Windows line ends', 'a\r\nb\r\n', ['a', 'b']],
    ['a carriage return within a word', 'a\rb', ['ab']],
    ['a byte order mark', '\uFEFFa', ['a']],
    ['a comment', '# x\na # b "c\nd', ['a', 'd']],
    ['a comment at once behind a word', 'a#b c\nd', ['a', 'd']],
    ['a # within quotes', '"a # b"', ['"a # b"']],
    ['quotes', 'a "b c" ""', ['a "b c" ""']],
    ['escaped quotes', String.raw`"a \"b\"c" d`, [String.raw`"a \"b\"c" d`]],
    ['two escaped quotes side by side', String.raw`"\"\""`, [String.raw`"\"\""`]],
    ['other backslashes stay', String.raw`"\n \\ \d\\"`, [JSON.stringify(String.raw`\n \\ \d\\`)]],
    ['a quote within a word is one', 'a"b c"', ['a"b c"']],
    ['a quoted word ends at its quote', '"a"b', ['"a" b']],
    ['quotes over two lines', 'a "b\nc" d\ne', [String.raw`a "b\nc" d`, 'e']],
    ['a joined line', 'a \\\n b\nc', ['a b', 'c']],
    ['a joined Windows line', 'a \\\r\n b', ['a b']],
    ['a backslash within a line', 'a \\ b\\\nc', ['a \\ b\\', 'c']],
    ['characters beyond the basic plane', 'a 😀', ['a 😀']],
  ]
  for (const [name, text, expected] of table) t.strictSame(lines(text), expected, name)
})

t.test('braces', async t => {
  const kinds = tokens('{ } a{ {} "{" {$A} {a}', { A: '{' }).map(token => token.kind)
  t.strictSame(kinds, ['{', '}', 'word', 'word', 'word', 'word', 'word'])
})

t.test('positions count characters', async t => {
  const seen = tokens('\uFEFF😀 b "c\n d" e\n\tf # g\n\nh')
  t.strictSame(
    seen.map(({ text, line, column }) => [text, line, column]),
    [
      ['😀', 1, 1],
      ['b', 1, 3],
      ['c\n d', 1, 5],
      ['e', 2, 5],
      ['f', 3, 2],
      ['h', 5, 1],
    ],
  )
})

t.test('environment variables', async t => {
  const env = { A: 'one', B: 'two words', C: '{$A}', P: '{$A}{%B%}', EMPTY: '' }
  const table: [string, string[]][] = [
    ['{$A} x{$A}y{$A}', ['one xoneyone']],
    ['{%A%} "{%A%} {$A}"', ['one "one one"']],
    ['{$B}', ['two words']],
    ['{$C}', ['{$A}']],
    ['{%C%}', ['one']],
    ['{$EMPTY}a', ['a']],
    ['{$} {%%} {$A {%A} {$ {%', ['{$} {%%} {$A {%A} {$ {%']],
    ['# {$NOT_SET}', []],
  ]
  for (const [text, expected] of table) t.strictSame(lines(text, env), expected, text)
  const warnings: string[] = []
  t.equal(tokens('a{$NOT_SET}', env, warnings)[0]?.text, 'a')
  t.strictSame(warnings, ['the environment variable NOT_SET is not set'])
})

t.test('any text gives tokens, or an error with a place', async t => {
  const letters = fc.constantFrom('a', '"', '\\', '\n', '\r', ' ', '#', '{', '}', '$', '%', '{$A}', '😀', '\uFEFF')
  const text = fc.oneof(fc.string({ unit: letters }), fc.string({ unit: 'binary' }))
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, text => {
        try {
          for (const token of tokens(text, { A: 'x' })) {
            if (token.line < 1 || token.column < 1) return false
          }
        } catch (error) {
          return error instanceof PortolanError && error.at !== undefined
        }
        return true
      }),
    ),
  )
})

t.test('a quoted text comes back as it was', async t => {
  // A backslash before a quote, or at the end, cannot be written in a Corefile.
  const text = fc.string({ unit: 'binary' }).filter(text => !/\\("|$)|\\{2}|\{[$%]/.test(text))
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, text => {
        const [token, ...others] = tokens(`"${text.replaceAll('"', '\\"')}"`)
        return token?.text === text && token.quoted && others.length === 0
      }),
    ),
  )
})
