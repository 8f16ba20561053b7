/** Puts in words how well a cluster is followed. */
import type { KindCheck, KindStatus } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import type { Freshness } from '../../plugin/plugin.ts'

export function freshnessOf(status: readonly KindStatus[], sizes: { size(kind: Kind): number }): Freshness {
  return {
    staleMs: Math.max(0, ...status.map(({ staleMs }) => staleMs ?? Number.POSITIVE_INFINITY)),
    lines: status.map(each => lineOf(each, sizes.size(each.kind))),
  }
}

function lineOf({ kind, following, problem, staleMs, check }: KindStatus, size: number): string {
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
