/** Collects what is wrong with manifests, so that one reading reports all of it. */
import { type Kind, keyOf, type ObjectOf } from '../../cluster/objects.ts'
import { trim } from '../../cluster/trim.ts'
import { PortolanError, type Position } from '../../errors.ts'

export interface Place {
  /** Where the document starts, or where in it the mistake is. */
  readonly at: Position
  /** Which document of the file, counted from 1. */
  readonly document: number
}

/** A place, and the object that is meant where it is known. */
export type Named = Place & { readonly kind?: string; readonly namespace?: string; readonly name?: string }

export class Problems {
  readonly found: PortolanError[] = []

  /** Runs the step; a PortolanError that it throws is noted with the place, and the result is undefined. */
  attempt<T>(place: Named, step: () => T): T | undefined {
    try {
      return step()
    } catch (error) {
      if (!(error instanceof PortolanError)) throw error
      const { at, document, kind, namespace = '', name } = place
      const object = name ? `${kind} ${keyOf({ namespace, name })}: ` : ''
      const message = `document ${document}: ${object}${error.message}`
      this.found.push(new PortolanError('PORTOLAN_MANIFEST', message, { at, cause: error }))
      return undefined
    }
  }
}

/** Trims an object for a step of `attempt`: throws a PortolanError for what is wrong with it. */
export function trimOrThrow<K extends Kind>(kind: K, json: unknown, detail = false): ObjectOf<K> {
  const { object, problem } = trim(kind, json, detail)
  if (problem) throw new PortolanError('PORTOLAN_MANIFEST', problem.message)
  return object
}
