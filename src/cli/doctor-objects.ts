/** Objects that only `portolan doctor` reads: the Corefile in its ConfigMap, and which Endpoints were cut off. */
import { basename } from 'node:path'
import type { Missing } from '../client/doctor/check.ts'
import type { Corefile } from '../client/doctor/world.ts'
import { keyOf } from '../cluster/objects.ts'
import type { CorefileFiles } from '../corefile/files.ts'
import { parseCorefile } from '../corefile/parser.ts'
import { messageOf, PortolanError } from '../errors.ts'
import type { Arguments } from './arguments.ts'
import { type CorefileText, readCorefile } from './offline-server.ts'
import { accessOf } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

const configMaps = { plural: 'configmaps', path: '/api/v1/namespaces/kube-system/configmaps', name: 'coredns' }
const endpoints = { plural: 'endpoints', path: '/api/v1/endpoints', metadataOnly: true }
const overCapacity = 'endpoints.kubernetes.io/over-capacity'

interface ApiObject {
  readonly metadata?: {
    readonly name?: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
}

export interface ReadCorefile extends Corefile, CorefileText {}

/** The Corefile in use: a file that was named, or what the ConfigMap of CoreDNS has. */
export async function corefileInUse(given: Arguments, shell: Shell): Promise<ReadCorefile | Missing> {
  const file = given.text('conf')
  if (file !== undefined) {
    const read = readCorefile(file)
    return { ...read, where: file, parsed: parsed(read, shell) }
  }
  const found = await attempt(() => objectsOf(given, shell, 'ConfigMap', configMaps))
  if ('missing' in found) return found
  const map = found.find(({ metadata }) => metadata?.namespace === 'kube-system' && metadata.name === 'coredns')
  const text = map?.data?.['Corefile']
  if (text === undefined)
    return { missing: 'there is no ConfigMap kube-system/coredns with a Corefile; give -conf FILE' }
  const read = { file: 'Corefile', text }
  return { ...read, where: 'ConfigMap kube-system/coredns', parsed: parsed(read, shell, filesIn(map?.data ?? {})) }
}

function parsed({ file, text }: CorefileText, { env }: Shell, files?: CorefileFiles): Corefile['parsed'] {
  try {
    return parseCorefile(text, { file, env, ...(files && { files }) })
  } catch (error) {
    if (error instanceof PortolanError) return error
    throw error
  }
}

/** The keys of a ConfigMap as the files of one folder. What another volume has is not there, as where that is not mounted. */
function filesIn(data: Readonly<Record<string, string>>): CorefileFiles {
  return {
    read(path) {
      const text = data[basename(path)]
      if (text === undefined) throw Object.assign(new Error(`${path} is not in the ConfigMap`), { code: 'ENOENT' })
      return text
    },
    glob: () => [],
  }
}

/** The keys of Endpoints that were cut off. */
export async function truncatedEndpoints(given: Arguments, shell: Shell): Promise<readonly string[] | Missing> {
  const found = await attempt(() => objectsOf(given, shell, 'Endpoints', endpoints))
  if ('missing' in found) return found
  return found
    .filter(({ metadata }) => metadata?.annotations?.[overCapacity] === 'truncated')
    .map(({ metadata: { name = '', namespace = 'default' } = {} }) => keyOf({ name, namespace }))
}

type Wanted = typeof configMaps | typeof endpoints

async function objectsOf(given: Arguments, shell: Shell, kind: string, wanted: Wanted): Promise<ApiObject[]> {
  const path = given.text('manifests')
  if (path !== undefined) return inManifests(path, kind)
  const { readOnce } = await import('../sources/apiserver/index.ts')
  return readOnce(accessOf(given, shell), wanted, shell.clock)
}

/** Files with mistakes were complained of by who read the cluster from them. */
async function inManifests(path: string, kind: string): Promise<ApiObject[]> {
  const { listManifests, readManifests } = await import('../sources/manifests/read.ts')
  const { files } = await listManifests(path)
  const readings = await Promise.all([...files.keys()].map(readManifests))
  return readings
    .flatMap(({ manifests }) => manifests)
    .filter(manifest => manifest.kind === kind)
    .map(({ fields }) => {
      const metadata = fields.child('metadata')
      return {
        metadata: {
          name: metadata.text('name', ''),
          namespace: metadata.text('namespace', 'default'),
          annotations: metadata.map('annotations'),
        },
        data: kind === 'ConfigMap' ? fields.map('data') : {},
      }
    })
}

/** What may not be read is missing, and the others are all the same. */
async function attempt<T extends object>(read: () => Promise<T>): Promise<T | Missing> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof PortolanError) return { missing: messageOf(error) }
    throw error
  }
}
