/**
 * What the right answer to a question was, and when. The API server is the truth, and what was asked of it and when it agreed is all
 * that is known of it: from the request for a change to the reply both the old and the new answer are right.
 */
import type { TypeName } from '../message.ts'

export interface Question {
  readonly name: string
  readonly type: TypeName
}

/** How an answer compares with the truth: it is, it was, or it has never been. */
export type Verdict = 'right' | 'stale' | 'false'

/** How long a change may take, from the API server's reply to the answer, where nothing is wrong. */
const usualMs = 500

interface State {
  readonly answer: string
  /** When the change to it was asked for. */
  readonly from: number
  /** When the API server had agreed to the change to the next one. */
  to: number
}

/** Times are `performance.now()`. */
export class History {
  readonly question: Question
  readonly #states: State[]

  constructor(question: Question, answer: string) {
    this.question = question
    this.#states = [{ answer, from: -Infinity, to: Infinity }]
  }

  /** From now on this may be the answer; the returned function says that the API server has agreed, so that it has to be. */
  change(answer: string): () => void {
    const before = this.#states.at(-1)!
    this.#states.push({ answer, from: performance.now(), to: Infinity })
    return () => {
      before.to = performance.now()
    }
  }

  judge(answer: string, askedAt: number, answeredAt: number): Verdict {
    const own = this.#states.filter(state => state.answer === answer && state.from <= answeredAt)
    if (own.some(({ to }) => to + usualMs >= askedAt)) return 'right'
    return own.length > 0 ? 'stale' : 'false'
  }
}
