/** Puts in words how well a kind is followed. */
import type { KindCheck, KindStatus } from './contract.ts'

/** One line for people; `size` is how many objects of the kind are known. */
export function statusText({ kind, following, problem, staleMs, check }: KindStatus, size: number): string {
  return [
    `${kind}: ${size} known`,
    staleMs === undefined ? 'not all yet' : `current ${seconds(staleMs)} ago`,
    following ? 'followed' : `not followed${problem === undefined ? '' : `: ${problem}`}`,
    ...(check === undefined ? [] : [checkText(check)]),
  ].join(', ')
}

function checkText({ ageMs, differences }: KindCheck): string {
  const result =
    differences === undefined ? 'failed' : `found ${differences || 'no'} difference${differences > 1 ? 's' : ''}`
  return `self-check ${seconds(ageMs)} ago ${result}`
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)} s`
}
