/** Reads objects that nobody follows: a list, once, as JSON. */
import type { Clock } from '../../observe/clock.ts'
import { Connection } from './connection.ts'
import { type Access, Credentials } from './credentials.ts'
import { readList } from './list.ts'
import { RequestLimits } from './request-limits.ts'
import { type Collection, metadataList } from './resource.ts'

export interface Wanted extends Pick<Collection, 'plural' | 'path'> {
  /** The one object of this name. */
  readonly name?: string
  /** Whether metadata is all that is read. */
  readonly metadataOnly?: boolean
}

const uncounted = { answered: () => undefined, took: () => undefined, waited: () => undefined }

/** Of the core group. Rejects with `PORTOLAN_KUBECONFIG`, or with an `ApiFailure` that says what is not allowed. */
export async function readOnce(access: Access, wanted: Wanted, clock: Clock): Promise<object[]> {
  const { plural, path, name, metadataOnly = false } = wanted
  const credentials = await Credentials.load(access, clock)
  const accept = metadataOnly ? metadataList : 'application/json'
  const resource: Collection = {
    ...{ plural, path, group: '', labelSelector: '' },
    fieldSelector: name === undefined ? '' : `metadata.name=${name}`,
    accept: { list: accept, watch: accept, versions: accept },
  }
  const limits = new RequestLimits({}, clock)
  const connection = new Connection({ resource, credentials, limits, metrics: uncounted, clock })
  const found: object[] = []
  try {
    await readList(connection, {}, new AbortController().signal, objects => {
      found.push(...objects)
    })
  } finally {
    connection.close()
  }
  return found
}
