/**
 * From files to documents: finds the YAML and JSON files below a path, and splits them into objects with a kind. What the kinds
 * mean is left to others.
 */
import type { BigIntStats } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { type Document, isScalar, LineCounter, parseAllDocuments } from 'yaml'
import { Fields } from '../../cluster/fields.ts'
import { messageOf, PortolanError } from '../../errors.ts'
import { type Place, Problems } from './problems.ts'

/** One object as a file has it. */
export interface Manifest extends Place {
  readonly apiVersion: string
  readonly kind: string
  readonly fields: Fields
}

/** What was found below a path at one moment. */
export interface Listing {
  /** Path → a stamp that changes with the file's content; in order of path. */
  readonly files: ReadonlyMap<string, string>
  /** Every directory whose entries decide what the files are, with a stamp that tells it from a later one of the same path. */
  readonly directories: ReadonlyMap<string, string>
}

/** The manifests of a file; those with problems are left out. */
export interface Reading {
  readonly manifests: readonly Manifest[]
  readonly problems: readonly PortolanError[]
}

/**
 * Lists the files to read: the one at `path`, whatever its name, or all *.yaml, *.yml and *.json below it. Hidden entries are left
 * out: kubelet keeps the real files of a mounted ConfigMap in them, and links to these from the visible names.
 * Throws the file system's error where `path` cannot be read; what vanishes meanwhile is left out.
 */
export async function listManifests(path: string): Promise<Listing> {
  const files = new Map<string, string>()
  const directories = new Map<string, string>()
  const seen = new Set<string>()

  const visit = async (path: string): Promise<void> => {
    const info = await stat(path, { bigint: true })
    if (info.isFile()) files.set(path, `${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}`)
    if (!info.isDirectory()) return
    const real = await realpath(path)
    if (seen.has(real)) return
    seen.add(real)
    directories.set(path, identity(info))
    const names = (await readdir(path)).filter(name => !name.startsWith('.'))
    for (const name of names.sort()) await unlessGone(enter(join(path, name), name))
  }
  const enter = async (path: string, name: string): Promise<void> => {
    if (/\.(ya?ml|json)$/i.test(name) || (await stat(path)).isDirectory()) await visit(path)
  }
  await visit(path)
  // An editor that saves a file by renaming puts another file in its place, which only the directory shows.
  if (directories.size === 0) directories.set(dirname(path), identity(await stat(dirname(path), { bigint: true })))
  return { files, directories }
}

function identity({ ino, birthtimeNs }: BigIntStats): string {
  return `${ino} ${birthtimeNs}`
}

/** Reads one file. What is wrong in it is a value; a PortolanError is thrown only if the file cannot be read. */
export async function readManifests(file: string): Promise<Reading> {
  const problems = new Problems()
  const manifests = parse(await textOf(file), file).flatMap(
    ({ read, ...place }) => problems.attempt(place, () => objectsIn(read(), place)) ?? [],
  )
  return { manifests, problems: problems.found }
}

async function textOf(file: string): Promise<string> {
  try {
    return (await unlessGone(readFile(file, 'utf8'))) ?? ''
  } catch (cause) {
    throw new PortolanError('PORTOLAN_MANIFESTS_PATH', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
}

interface Parsed extends Place {
  /** Gives the document as JSON; throws a PortolanError that says what is wrong with it. */
  readonly read: () => unknown
}

function parse(text: string, file: string): Parsed[] {
  const json = extname(file).toLowerCase() === '.json' ? parseJson(text) : undefined
  if (json !== undefined) return [{ at: { file, line: 1, column: 1 }, document: 1, read: () => json }]
  const lines = new LineCounter()
  const documents: readonly Document[] = [
    ...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true }),
  ]
  return documents.flatMap((document, index) => {
    const [error] = document.errors
    if (!error && isEmpty(document)) return []
    const { line, col } = lines.linePos(error?.pos[0] ?? document.contents?.range?.[0] ?? 0)
    return [{ at: { file, line, column: col }, document: index + 1, read: () => jsonOf(document) }]
  })
}

/** Big exports are JSON, and this reads them far faster; the YAML parser, which takes JSON too, says where a mistake is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isEmpty({ contents }: Document): boolean {
  return contents === null || (isScalar(contents) && contents.value === null)
}

function jsonOf(document: Document): unknown {
  const [error] = document.errors
  if (error) throw new PortolanError('PORTOLAN_MANIFEST', `not valid YAML: ${error.message}`, { cause: error })
  try {
    return document.toJS()
  } catch (cause) {
    // Unknown anchors, and aliases that would blow up.
    throw new PortolanError('PORTOLAN_MANIFEST', `not valid YAML: ${messageOf(cause)}`, { cause })
  }
}

type Implied = Pick<Manifest, 'apiVersion' | 'kind'>

/** The object of a document, or those of a `List` (or of a `ServiceList` and the like, whose items may leave their kind out). */
function objectsIn(json: unknown, place: Place, implied?: Implied): Manifest[] {
  const fields = new Fields(json)
  const apiVersion = fields.text('apiVersion') ?? implied?.apiVersion
  const kind = fields.text('kind') ?? implied?.kind
  if (!apiVersion || !kind) {
    const missing = kind ? 'apiVersion' : 'kind'
    throw new PortolanError(
      'PORTOLAN_MANIFEST',
      `an object without ${missing}: add apiVersion and kind, as kubectl apply needs them`,
    )
  }
  if (!kind.endsWith('List') || !fields.has('items')) return [{ ...place, apiVersion, kind, fields }]
  const items = kind === 'List' ? undefined : { apiVersion, kind: kind.slice(0, -'List'.length) }
  return fields.children('items').flatMap(item => objectsIn(item.json, place, items))
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
