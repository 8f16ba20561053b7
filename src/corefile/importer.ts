/**
 * The tokens of a Corefile one after the other, with `import` lines replaced by the snippets and files they name. Where an
 * import may stand is left to the parser.
 */
import { dirname, isAbsolute, join } from 'node:path'
import { messageOf } from '../errors.ts'
import { type CorefileWarning, corefileError, positionText } from './errors.ts'
import type { CorefileFiles } from './files.ts'
import { type Environment, lex, type Token } from './lexer.ts'
import { hint } from './nearest.ts'

export interface ImportOptions {
  readonly file: string
  readonly env: Environment
  readonly files: CorefileFiles
  readonly warn: (warning: CorefileWarning) => void
}

/** What is being read: the Corefile itself, a snippet or an imported file. */
interface Frame {
  readonly source: string
  /** The frame whose import line brought this one; followed to find cycles. */
  readonly importedBy: Frame | undefined
  readonly tokens: readonly Token[]
  index: number
}

interface Snippet {
  readonly at: Token
  readonly tokens: readonly Token[]
}

/** As in CoreDNS; without it a few snippets that import each other twice would fill the memory. */
const MAX_IMPORTS = 10_000

export class Importer {
  readonly #options: ImportOptions
  readonly #snippets = new Map<string, Snippet>()
  /** Innermost last. Those that have been read to their end are dropped when the next token is asked for. */
  readonly #frames: Frame[]
  #last: Frame
  #imports = 0

  constructor(tokens: readonly Token[], options: ImportOptions) {
    this.#options = options
    this.#last = { source: `file ${join(options.file)}`, importedBy: undefined, tokens, index: 0 }
    this.#frames = [this.#last]
  }

  /** The next token without reading it; undefined at the end. */
  peek(): Token | undefined {
    const frame = this.#current()
    return frame?.tokens[frame.index]
  }

  /** Reads a token; undefined at the end. */
  next(): Token | undefined {
    const frame = this.#current()
    if (frame === undefined) return undefined
    this.#last = frame
    return frame.tokens[frame.index++]
  }

  /** Reads the block that follows and keeps it as the snippet that `key`, such as `(name)`, names. */
  defineSnippet(key: Token): void {
    const name = key.text.slice(1, -1)
    const earlier = this.#snippets.get(name)
    if (earlier) {
      throw failure(key, `the snippet (${name}) is already defined at ${positionText(earlier.at)}`)
    }
    if (name === '') throw failure(key, 'a snippet needs a name between its parentheses')
    const open = this.next()!
    const tokens: Token[] = []
    let depth = 1
    for (;;) {
      const token = this.next()
      if (token === undefined) throw corefileError('PORTOLAN_COREFILE_SYNTAX', open, 'this "{" is never closed')
      if (token.kind === '{') depth++
      if (token.kind === '}' && --depth === 0) break
      tokens.push(token)
    }
    this.#snippets.set(name, { at: key, tokens })
  }

  /** Takes the argument of the `import` just read; what it names is read next. Throws PORTOLAN_COREFILE_IMPORT. */
  expandImport(keyword: Token): void {
    const importedBy = this.#last
    const what = this.peek()
    if (what === undefined || what.startsLine || what.kind !== 'word' || what.text === '') {
      throw failure(keyword, 'import needs the name of a snippet or a file')
    }
    this.next()
    const extra = this.peek()
    if (extra && !extra.startsLine) {
      throw failure(extra, `import takes one argument, "${extra.text}" is one too many`)
    }
    const snippet = this.#snippets.get(what.text)
    const imported = snippet ? [{ source: `snippet (${what.text})`, tokens: snippet.tokens }] : this.#readFiles(what)
    for (const { source, tokens } of imported.toReversed()) {
      this.#push(what, source, tokens, importedBy)
    }
  }

  #push(what: Token, source: string, tokens: readonly Token[], importedBy: Frame): void {
    for (let frame: Frame | undefined = importedBy; frame; frame = frame.importedBy) {
      if (frame.source === source) throw failure(what, `the ${source} imports itself`)
    }
    if (++this.#imports > MAX_IMPORTS) {
      throw failure(what, `more than ${MAX_IMPORTS} imports`)
    }
    const [first, ...others] = tokens
    if (first) this.#frames.push({ source, importedBy, tokens: [{ ...first, startsLine: true }, ...others], index: 0 })
  }

  #readFiles(what: Token): { source: string; tokens: Token[] }[] {
    const { env, files, warn } = this.#options
    const path = isAbsolute(what.text) ? what.text : join(dirname(what.file), what.text)
    if (/\*.*\*|\?.*\?|\[.*\]/s.test(path)) {
      const problem = `"${what.text}" may have one "*" and one "?", and no brackets`
      throw failure(what, problem)
    }
    const paths = /[*?]/.test(path) ? this.#reach(what, path, () => files.glob(path)) : [path]
    if (paths.length === 0) warn({ at: what, message: `no file matches "${what.text}"` })
    return paths.map(file => {
      const text = this.#reach(what, file, () => files.read(file))
      return { source: `file ${file}`, tokens: lex(text, { file, env, warn }) }
    })
  }

  #reach<T>(what: Token, path: string, action: () => T): T {
    try {
      return action()
    } catch (cause) {
      throw failure(what, this.#unreachable(what, path, cause), cause)
    }
  }

  #unreachable(what: Token, path: string, cause: unknown): string {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EISDIR') return `cannot import ${path}: it is a folder`
    if (code !== 'ENOENT') return `cannot import ${path}: ${messageOf(cause)}`
    return `"${what.text}" is neither a snippet defined above nor a file${hint(what.text, this.#snippets.keys())}`
  }

  #current(): Frame | undefined {
    let frame = this.#frames.at(-1)
    while (frame && frame.index === frame.tokens.length) {
      this.#frames.pop()
      frame = this.#frames.at(-1)
    }
    return frame
  }
}

function failure(at: Token, message: string, cause?: unknown) {
  return corefileError('PORTOLAN_COREFILE_IMPORT', at, message, cause)
}
