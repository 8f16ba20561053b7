/** Files that a command line names. */
import { readFileSync } from 'node:fs'
import { messageOf, PortolanError } from '../errors.ts'

/** The text of one. Throws a PortolanError of this code, with the reason, where it cannot be read. */
export function fileText(file: string, code: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new PortolanError(code, `cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
}
