/**
 * The files that a Corefile imports: the interface through which the parser reaches them, and the one that reads the disk.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, parse } from 'node:path'

/** Where imports are read from. Paths are what `join(dirname(importing file), what the import says)` gives. */
export interface CorefileFiles {
  /** The text of a file. Throws, with the `code` ENOENT when there is none. */
  read(path: string): string
  /** The paths that match a pattern, sorted. `*` is any run of characters but `/`, `?` is one. None is not an error. */
  glob(pattern: string): string[]
}

/** Reads the disk, synchronously: a Corefile is read at start and on reload, and is small. */
export const diskFiles: CorefileFiles = {
  read: path => readFileSync(path, 'utf8'),
  glob(pattern) {
    const { root } = parse(pattern)
    let paths = [root]
    for (const part of pattern.slice(root.length).split('/')) {
      paths = paths.flatMap(path => (/[*?]/.test(part) ? matches(path, part) : [join(path, part)]))
    }
    return paths.filter(path => existsSync(path)).sort()
  },
}

function matches(folder: string, pattern: string): string[] {
  const literal = pattern.replace(/[\\^$.+|()[\]{}]/g, '\\$&')
  const expression = new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su')
  return namesIn(folder)
    .filter(name => expression.test(name))
    .map(name => join(folder, name))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder || '.')
  } catch (error) {
    // A folder that is not there holds nothing that matches (an optional ConfigMap that is not mounted).
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}
