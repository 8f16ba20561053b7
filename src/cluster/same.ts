/** Tells whether two trimmed objects are equal in all that names and routes are made from. */
import type { ClusterObject } from './objects.ts'

/** Compares what the objects hold, not what they make of it (`PackedSlice`). */
export function sameContent(a: ClusterObject, b: ClusterObject): boolean {
  return sameFields(a, b)
}

/** Tells whether two values of JSON are equal. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]))
  return sameFields(a, b)
}

function sameFields(a: object, b: object): boolean {
  const left = a as Readonly<Record<string, unknown>>
  const right = b as Readonly<Record<string, unknown>>
  const names = Object.keys(left)
  if (names.length !== Object.keys(right).length) return false
  return names.every(name => Object.hasOwn(right, name) && same(left[name], right[name]))
}
