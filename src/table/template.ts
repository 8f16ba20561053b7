/** The negative template of a zone: what its answers without records hold, made for one length of names and patched for others. */
import { PortolanError } from '../errors.ts'
import type { Answer } from '../wire/answer.ts'
import { MAX_NAME } from '../wire/name.ts'
import type { BlockWriter } from './block-writer.ts'
import { headerWord, recordTtl } from './entry.ts'
import { Template } from './layout.ts'

/** Writes the template of answers that `answerFor` compiles for names of a length. */
export function writeTemplate(block: BlockWriter, answerFor: (length: number) => Answer): void {
  const answer = answerFor(MAX_NAME)
  const { body } = answer
  const pointers = pointersIn(answerFor(MAX_NAME - 1).body, body)
  block.begin(Template.OFFSETS + pointers.length)
  const { words } = block
  words[Template.HEADER] = headerWord(answer)
  words[Template.COUNTS] = (answer.answers << 16) | answer.authorities
  words[Template.ADDITIONALS] = answer.additionals
  words[Template.TTL] = recordTtl(answer)
  words[Template.NAME_LENGTH] = MAX_NAME
  words[Template.POINTERS] = pointers.length
  words[Template.BODY_LENGTH] = body.length
  words.set(pointers, Template.OFFSETS)
  block.append(body)
}

/** Where pointers stand: two octets, a number that is one more in the longer name's body. */
function pointersIn(shorter: Uint8Array, longer: Uint8Array): number[] {
  const pointers: number[] = []
  const at = (body: Uint8Array, offset: number) => (body[offset]! << 8) | body[offset + 1]!
  const isPointer = (offset: number) => at(shorter, offset) >= 0xc000 && at(longer, offset) === at(shorter, offset) + 1
  for (let i = 0; i < longer.length; i++) {
    if (shorter[i] === longer[i]) continue
    // With a carry both octets differ, else the lower one.
    const pointer = isPointer(i) ? i : i - 1
    if (shorter.length !== longer.length || !isPointer(pointer)) {
      throw new PortolanError('PORTOLAN_TABLE_ANSWER', 'negative answers differ in more than their pointers')
    }
    pointers.push(pointer)
    i = pointer + 1
  }
  return pointers
}
