/** What a reply says, in one line: enough to tell right from wrong where the shape of the message does not matter. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Asker, Reply } from './asker.ts'
import { decode, queryBytes, type TypeName, types } from './message.ts'

/** What `answerText` says of a name that does not exist. */
export const nothing = 'NXDOMAIN'

const nxDomain = 3
const askAgainMs = 20

/** A question and the answers that it has to get: the data of each record, or `NXDOMAIN`. */
export type Expectation = readonly [name: string, type: TypeName, ...answers: readonly string[]]

/** The data of the answer's records, sorted; or `NXDOMAIN`, the number of another code, or why there is nothing to read. */
export function answerText(reply: Reply): string {
  const message = typeof reply === 'string' ? reply : decode(reply)
  if (typeof message === 'string') return message
  if (message.rcode === nxDomain) return nothing
  if (message.rcode !== 0) return `rcode ${message.rcode}`
  return message.sections.answer
    .map(({ data }) => data)
    .toSorted()
    .join(' ')
}

/** Asks until the answer is as expected; returns the last one where it never was in `withinMs`. */
export async function untilAnswered(
  asker: Asker,
  [name, type, ...expected]: Expectation,
  withinMs: number,
): Promise<string | undefined> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const seen = answerText(await asker.ask(queryBytes(name, types[type]), { transport: 'udp', waitMs: withinMs }))
    if (seen === expected.toSorted().join(' ')) return undefined
    if (performance.now() > deadline) return seen
    await sleep(askAgainMs)
  }
}
