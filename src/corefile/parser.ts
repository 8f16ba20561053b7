/**
 * Groups the tokens of a Corefile into server blocks and directives, and expands snippets and imports on the way. The grammar
 * is CoreDNS' (coredns/caddy 1.1.4), stricter where that one accepts what nobody means: README.md beside this file tells where.
 */
import { Directive } from './directive.ts'
import { type CorefileWarning, corefileError } from './errors.ts'
import { type CorefileFiles, diskFiles } from './files.ts'
import { Importer } from './importer.ts'
import { serverAddresses } from './keys.ts'
import { type Environment, lex, type Token } from './lexer.ts'
import type { ServerBlock } from './server-block.ts'

export interface ParseOptions {
  /** The file's path as it shall appear in positions; imports are relative to its folder. Default `Corefile`. */
  readonly file?: string
  /** Default: none are set. */
  readonly env?: Environment
  /** Default: the disk. */
  readonly files?: CorefileFiles
  /** The port of `dns` keys that name none. Default 53. */
  readonly port?: number
  /** Told of what works but is probably not meant. */
  readonly warn?: (warning: CorefileWarning) => void
}

/** Braces within braces; CoreDNS' plugins need two, and a limit keeps a hostile file off the stack. */
const MAX_DEPTH = 32

/**
 * The server blocks of a Corefile, in order; none for an empty one. Which plugins there are and what they take is not looked
 * at. Throws a positioned PortolanError: PORTOLAN_COREFILE_SYNTAX, PORTOLAN_COREFILE_IMPORT or PORTOLAN_COREFILE_KEY.
 */
export function parseCorefile(text: string, options: ParseOptions = {}): ServerBlock[] {
  const { file = 'Corefile', env = {}, files = diskFiles, port, warn = () => {} } = options
  const importer = new Importer(lex(text, { file, env, warn }), { file, env, files, warn })
  return new Parser(importer, port).blocks()
}

class Parser {
  readonly #tokens: Importer
  readonly #port: number | undefined

  constructor(tokens: Importer, port: number | undefined) {
    this.#tokens = tokens
    this.#port = port
  }

  blocks(): ServerBlock[] {
    const blocks: ServerBlock[] = []
    while (this.#tokens.peek()) {
      const block = this.#block()
      if (block) blocks.push(block)
    }
    return blocks
  }

  /** A server block; undefined for a snippet, and for imports that hold nothing. */
  #block(): ServerBlock | undefined {
    const keys = this.#keys()
    const brace = this.#tokens.peek()
    const [first] = keys
    if (first === undefined) {
      if (brace) throw syntax(brace, 'a server block needs a zone before its "{"')
      return undefined
    }
    const braced = brace?.kind === '{'
    if (keys.length === 1 && /^\(.*\)$/s.test(first.text)) {
      if (!braced) throw syntax(first, `the snippet ${first.text} needs a block in braces`)
      this.#tokens.defineSnippet(first)
      return undefined
    }
    const addresses = keys.flatMap(key => serverAddresses(key, this.#port))
    if (braced) this.#tokens.next()
    return { at: addresses[0]!.at, addresses, directives: this.#lines(braced ? brace : undefined, undefined, 0) }
  }

  /** Keys end at a brace, or at the end of a line that does not end in a comma. */
  #keys(): Token[] {
    const keys: Token[] = []
    let comma: Token | undefined
    for (;;) {
      const token = this.#tokens.peek()
      if (token === undefined || token.kind === '{') {
        if (comma) throw syntax(comma, 'another zone must follow the comma')
        return keys
      }
      if (token.kind === '}') throw syntax(token, 'this "}" closes nothing')
      if (token.startsLine && keys.length > 0 && !comma) return keys
      this.#tokens.next()
      if (token.startsLine && isImport(token)) {
        this.#tokens.expandImport(token)
      } else if (token.text !== '') {
        comma = token.text.endsWith(',') ? token : undefined
        keys.push(comma ? { ...token, text: token.text.slice(0, -1) } : token)
      }
    }
  }

  /** The lines up to the brace that closes `open`, or up to the end of the file when there is none. */
  #lines(open: Token | undefined, plugin: string | undefined, depth: number): Directive[] {
    const lines: Directive[] = []
    for (;;) {
      const token = this.#tokens.next()
      if (token === undefined) {
        if (open) throw syntax(open, 'this "{" is never closed')
        return lines
      }
      if (token.kind === '}') {
        if (open === undefined) throw syntax(token, 'this "}" closes nothing')
        return lines
      }
      if (token.kind === '{') throw syntax(token, 'a "{" must stand on the line of what it belongs to')
      if (isImport(token)) this.#tokens.expandImport(token)
      else lines.push(this.#line(token, plugin, depth))
    }
  }

  #line(name: Token, plugin: string | undefined, depth: number): Directive {
    if (name.text === '') throw syntax(name, 'a line must begin with a name, got ""')
    const owner = plugin ?? name.text
    const args: Token[] = []
    for (;;) {
      const token = this.#tokens.peek()
      if (token === undefined || token.startsLine) return new Directive(owner, name, args)
      if (token.kind === '}') throw syntax(token, 'a "}" must stand on a line of its own')
      this.#tokens.next()
      if (token.kind === 'word') {
        args.push(token)
        continue
      }
      if (depth === MAX_DEPTH) throw syntax(token, 'too many blocks within blocks')
      const block = this.#lines(token, owner, depth + 1)
      const behind = this.#tokens.peek()
      if (behind && !behind.startsLine) throw syntax(behind, `"${behind.text}" must stand on a line of its own`)
      return new Directive(owner, name, args, block)
    }
  }
}

function isImport(token: Token): boolean {
  return token.text === 'import' && !token.quoted
}

function syntax(at: Token, message: string) {
  return corefileError('PORTOLAN_COREFILE_SYNTAX', at, message)
}
