/** Makes all checks in the order of runbooks, and tells which of the faults was first: the one that no other fault explains. */

import { capacityCheck } from './capacity.ts'
import { type Check, type CheckName, checkNames, type Finding, isMissing } from './check.ts'
import { conntrackCheck } from './conntrack.ts'
import { corefileCheck } from './corefile.ts'
import { dnsPodsCheck, dnsServiceCheck } from './dns-service.ts'
import { policyCheck } from './policy.ts'
import { directQueryCheck, virtualAddressCheck } from './queries.ts'
import { resolverCheck } from './resolver.ts'
import { rulesCheck } from './rules.ts'
import { shadowsCheck } from './shadows.ts'
import { endpointsCheck, nameCheck, targetPortCheck } from './target.ts'
import { upstreamCheck } from './upstream.ts'
import type { World } from './world.ts'

export const checks: readonly Check[] = [
  resolverCheck,
  dnsServiceCheck,
  dnsPodsCheck,
  directQueryCheck,
  virtualAddressCheck,
  upstreamCheck,
  nameCheck,
  endpointsCheck,
  targetPortCheck,
  policyCheck,
  rulesCheck,
  conntrackCheck,
  capacityCheck,
  shadowsCheck,
  corefileCheck,
]

export interface CheckFacts {
  readonly check: CheckName
  readonly outcome: 'ok' | 'fault' | 'warning' | 'skipped'
  /** What is well, or why the check was skipped. */
  readonly summary: string
  readonly findings: readonly Omit<Finding, 'explains'>[]
}

export interface Diagnosis {
  readonly healthy: boolean
  /** The fault that the others follow from, or the first of several that have nothing to do with each other. */
  readonly cause: Cause | undefined
  readonly checks: readonly CheckFacts[]
}

export interface Cause extends Omit<Finding, 'explains' | 'level'> {
  readonly check: CheckName
  /** Checks that have a fault because of this one, or only a fault of their own. */
  readonly consequences: readonly CheckName[]
  readonly others: readonly CheckName[]
}

interface Found {
  readonly check: CheckName
  readonly fault: Finding
}

export async function diagnose(world: World): Promise<Diagnosis> {
  const made = await Promise.all(checks.map(async check => ({ check: check.name, result: await check.examine(world) })))
  const faults = made.flatMap(({ check, result }) =>
    isMissing(result) ? [] : result.findings.filter(({ level }) => level === 'fault').map(fault => ({ check, fault })),
  )
  return {
    healthy: faults.length === 0,
    cause: causeOf(faults),
    checks: made.map(({ check, result }) => {
      if (isMissing(result)) return { check, outcome: 'skipped', summary: result.missing, findings: [] }
      const findings = result.findings.map(({ explains: _, ...facts }) => facts)
      const outcome =
        findings.find(({ level }) => level === 'fault') ?? findings.find(({ level }) => level === 'warning')
      return {
        check,
        outcome: outcome?.level === 'note' ? 'ok' : (outcome?.level ?? 'ok'),
        summary: result.summary,
        findings,
      }
    }),
  }
}

function causeOf(faults: readonly Found[]): Cause | undefined {
  const explained = new Set(faults.flatMap(({ fault }) => fault.explains ?? []))
  const first = faults.find(({ check }) => !explained.has(check)) ?? faults[0]
  if (first === undefined) return undefined
  const { seen, means, next, explains = [] } = first.fault
  const faulty = checkNames.filter(name => name !== first.check && faults.some(({ check }) => check === name))
  return {
    ...{ check: first.check, seen, means, next },
    consequences: faulty.filter(name => explains.includes(name)),
    others: faulty.filter(name => !explains.includes(name)),
  }
}
