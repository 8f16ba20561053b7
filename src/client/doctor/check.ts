/** What a check of `portolan doctor` is, and what it finds. */
import type { World } from './world.ts'

/** In the order in which runbooks have them. */
export const checkNames = [
  'resolv.conf',
  'dns service',
  'dns pods',
  'direct query',
  'virtual address',
  'upstream',
  'name',
  'endpoints',
  'target port',
  'network policy',
  'node rules',
  'conntrack',
  'capacity',
  'shadows',
  'corefile',
] as const
export type CheckName = (typeof checkNames)[number]

/** A fault breaks something now; a warning may break it; a note is worth knowing. */
export type Level = 'fault' | 'warning' | 'note'

export interface Finding {
  readonly level: Level
  /** What was seen: a sentence without its full stop. */
  readonly seen: string
  /** What follows from it for clients; likewise. Empty for a note. */
  readonly means: string
  /** Commands that show more of it, or mend it, and lines to write; the first one first. */
  readonly next: readonly string[]
  /** The checks whose faults follow from this one, where they have some. */
  readonly explains?: readonly CheckName[]
}

/** What a check has to say: what is well in one line, and what is not. */
export interface Examined {
  readonly summary: string
  readonly findings: readonly Finding[]
}

/** Why something is not known: part of a sentence. */
export interface Missing {
  readonly missing: string
}

/** A check that cannot be made is skipped. None changes anything. */
export interface Check {
  readonly name: CheckName
  examine(world: World): Examined | Missing | Promise<Examined | Missing>
}

export function isMissing<T>(value: T | Missing): value is Missing {
  return typeof value === 'object' && value !== null && 'missing' in value
}

export function fault(seen: string, means: string, next: readonly string[], explains: readonly CheckName[] = []) {
  return { level: 'fault', seen, means, next, explains } as const satisfies Finding
}

export function warning(seen: string, means: string, next: readonly string[] = []) {
  return { level: 'warning', seen, means, next } as const satisfies Finding
}

export function note(seen: string) {
  return { level: 'note', seen, means: '', next: [] } as const satisfies Finding
}

/** `kubectl -n shop describe service web` for `shop/web`. */
export function kubectl(what: string, key: string): string {
  const [namespace, name] = key.split('/')
  return name === undefined ? `kubectl ${what} ${namespace}` : `kubectl -n ${namespace} ${what} ${name}`
}

/** `1 endpoint`, `2 endpoints`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** The first of many, and how many more there are. */
export function some(texts: readonly string[], most = 5): string {
  const rest = texts.length - most
  return rest > 0 ? `${texts.slice(0, most).join(', ')} and ${rest} more` : texts.join(', ')
}
