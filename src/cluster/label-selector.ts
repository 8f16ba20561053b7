/** The label selectors that objects hold (`LabelSelector` of the API): read, applied, and written as people write them. */
import type { Fields } from './fields.ts'
import { type Labels, matchesLabels } from './labels.ts'

export interface LabelSelector {
  readonly matchLabels: Labels
  readonly matchExpressions: readonly LabelRequirement[]
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

export interface LabelRequirement {
  readonly key: string
  readonly operator: (typeof operators)[number]
  /** Empty for Exists and DoesNotExist. */
  readonly values: readonly string[]
}

/** Throws a PortolanError that names the field for what is no selector. */
export function trimSelector(json: Fields): LabelSelector {
  return {
    matchLabels: json.map('matchLabels'),
    matchExpressions: json.children('matchExpressions').map(trimRequirement),
  }
}

function trimRequirement(json: Fields): LabelRequirement {
  const operator =
    operators.find(name => name === json.text('operator')) ?? json.refuse('operator', operators.join(', '))
  const key = json.text('key') || json.refuse('key', 'the key of a label')
  const values = json.texts('values')
  const needed = operator === 'In' || operator === 'NotIn'
  if (needed !== values.length > 0) json.refuse('values', needed ? 'values of a label' : `no values beside ${operator}`)
  return { key, operator, values }
}

/** Everything in it must hold; an empty one selects everything. */
export function selects({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  return matchesLabels(matchLabels, labels) && matchExpressions.every(requirement => holds(requirement, labels))
}

/** NotIn holds where there is no such label, too. */
function holds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  const listed = value !== undefined && values.includes(value)
  return { In: listed, NotIn: !listed, Exists: value !== undefined, DoesNotExist: value === undefined }[operator]
}

/** As kubectl's `-l` takes it (`app=web,tier in (a,b),!old`); empty for the selector of everything. */
export function selectorText({ matchLabels, matchExpressions }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  return [...equal, ...matchExpressions.map(requirementText)].join(',')
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  if (operator === 'Exists') return key
  if (operator === 'DoesNotExist') return `!${key}`
  return `${key} ${operator.toLowerCase()} (${values.join(',')})`
}
