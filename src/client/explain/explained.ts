/** An explanation with all that was asked and assumed: what programs get as JSON. */
import type { ResolvConf } from '../../net/resolv-conf.ts'
import type { Explanation } from './explain.ts'

export interface Explained extends Explanation {
  /** `namespace/pod`. */
  readonly from: string
  readonly target: string
  readonly libc: string
  readonly resolver: ResolvConf & { readonly reason: string; readonly findings: readonly string[] }
  /** Commands that show or mend the cause. */
  readonly advice: readonly string[]
}
