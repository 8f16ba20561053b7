/** Asks a server about subjects at a steady rate, one question after another in an order of chance, and compares every answer with what was true. */
import { chance } from '../../wire/random.ts'
import { answerText } from '../answer.ts'
import { Asker } from '../asker.ts'
import { queryBytes, types } from '../message.ts'
import type { History, Question } from './history.ts'

const perSecond = 1000
const tickMs = 5
const waitMs = 1000
const seed = 11
/** Answers that are kept to be shown. */
const shown = 5

/** An answer that was not right. */
export interface Mistake {
  readonly question: Question
  readonly answer: string
  /** `performance.now()` when it came. */
  readonly at: number
  readonly verdict: 'stale' | 'false'
}

export class Interrogation implements AsyncDisposable {
  readonly #asker: Asker
  readonly #histories: readonly { readonly history: History; readonly packet: Buffer }[]
  readonly #stop = new AbortController()
  readonly #under = new Set<Promise<void>>()
  readonly #mistakes: Mistake[] = []
  #asked = 0

  private constructor(asker: Asker, histories: readonly History[]) {
    this.#asker = asker
    const { below } = chance(seed)
    this.#histories = histories
      .map(history => ({ history, at: below(2 ** 31) }))
      .sort((a, b) => a.at - b.at)
      .map(({ history }) => ({ history, packet: queryBytes(history.question.name, types[history.question.type]) }))
  }

  /** Begins to ask the server on this port, until it is disposed of. */
  static async start(port: number, histories: readonly History[]): Promise<Interrogation> {
    const interrogation = new Interrogation(await Asker.open(port), histories)
    interrogation.#run()
    return interrogation
  }

  /** So long it takes until each question was asked once more, in milliseconds, with some to spare for the reply. */
  get roundMs(): number {
    return (this.#histories.length / perSecond) * 1000 * 1.2 + waitMs
  }

  /** How many answers were judged. */
  get asked(): number {
    return this.#asked
  }

  /** In the order in which they came. */
  get mistakes(): readonly Mistake[] {
    return this.#mistakes
  }

  /** For people: the first of these mistakes. */
  static told(mistakes: readonly Mistake[]): string {
    return mistakes
      .slice(0, shown)
      .map(({ question: { name, type }, answer, verdict }) => `${name} ${type}: ${verdict} ${answer || 'no records'}`)
      .join('; ')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#under)
    this.#asker[Symbol.dispose]()
  }

  #run(): void {
    const start = performance.now()
    let [sent, next] = [0, 0]
    const timer = setInterval(() => {
      const owed = Math.floor(((performance.now() - start) * perSecond) / 1000) - sent
      sent += owed
      // After a pause of this process the questions that it missed are not asked all at once.
      for (let n = Math.min(owed, perSecond / 20); n > 0; n--) {
        const asking = this.#ask(next++ % this.#histories.length).finally(() => this.#under.delete(asking))
        this.#under.add(asking)
      }
    }, tickMs)
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }

  async #ask(n: number): Promise<void> {
    const { history, packet } = this.#histories[n]!
    const askedAt = performance.now()
    const answer = answerText(await this.#asker.ask(packet, { transport: 'udp', waitMs }))
    const at = performance.now()
    this.#asked++
    const verdict = history.judge(answer, askedAt, at)
    if (verdict !== 'right') this.#mistakes.push({ question: history.question, answer, at, verdict })
  }
}
