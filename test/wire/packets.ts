/** Reads the tables of packets in test/fixtures/packets. */
import { readFileSync } from 'node:fs'

export interface Exchange {
  readonly title: string
  readonly request: Buffer
  /** What ought to come back; undefined for silence. */
  readonly reply: Buffer | undefined
}

/**
 * The entries of a table: a title, the request behind `>`, CoreDNS's reply behind `<` (none: silence) and, where ours is another
 * on purpose, ours behind `!`.
 */
export function packets(table: string): Exchange[] {
  const text = readFileSync(new URL(`../fixtures/packets/${table}.txt`, import.meta.url), 'utf8')
  const [, ...entries] = text.split('\n\n')
  return entries.map(entry => {
    const [title, request, ...replies] = entry.trimEnd().split('\n')
    const reply = replies.at(-1)
    return { title: title!, request: octets(request!), reply: reply === undefined ? undefined : octets(reply) }
  })
}

function octets(line: string): Buffer {
  return Buffer.from(line.replace(/[<>!\s]/g, ''), 'hex')
}
