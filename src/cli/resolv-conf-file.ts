/** The resolv.conf of this machine, or another that the command line names. */
import { readFileSync } from 'node:fs'
import { messageOf } from '../errors.ts'
import { parseResolvConf } from '../net/resolv-conf.ts'
import { usageError } from './arguments.ts'

export const SYSTEM_FILE = '/etc/resolv.conf'

/** Its text. Throws PORTOLAN_USAGE where it cannot be read. */
export function resolvConfFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(`cannot read ${path}: ${messageOf(error)}`)
  }
}

/** The first server that this machine asks. Throws PORTOLAN_USAGE where there is none. */
export function systemServer(): string {
  const [host] = parseResolvConf(resolvConfFile(SYSTEM_FILE)).nameservers
  if (host !== undefined) return host
  throw usageError(`${SYSTEM_FILE} names no server: say which with @SERVER`)
}
