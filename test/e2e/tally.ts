/** Counts what holds and what does not, and says so line by line. */
export class Tally {
  passed = 0
  failed = 0
  readonly #say: (line: string) => void

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** `problem` is what is wrong, undefined where nothing is. */
  check(what: string, problem: string | undefined): void {
    if (problem === undefined) this.passed++
    else this.failed++
    this.#say(`${problem === undefined ? 'ok    ' : 'not ok'} ${what}${problem === undefined ? '' : `: ${problem}`}`)
  }

  equal(what: string, found: unknown, wanted: unknown): void {
    this.check(what, found === wanted ? undefined : `${String(found)} is not ${String(wanted)}`)
  }
}
