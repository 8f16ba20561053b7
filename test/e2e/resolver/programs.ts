/**
 * The real getaddrinfo(3), in processes that have an /etc of their own: glibc's in Node itself, musl's in a small program that is built
 * when the test runs.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { walkOf } from '../../../src/client/resolver/rehearsal.ts'
import { type Libc, resolverConfig } from '../../../src/client/resolver/resolver-config.ts'
import { perform } from '../../../src/client/resolver/stub-resolver.ts'
import { systemClock } from '../../../src/observe/clock.ts'

/** Something that looks names up as a library does. */
export interface Lookup {
  readonly libc: Libc
  /** With its version. */
  readonly title: string
  /** Whether it sends from the ports that the library would, and to servers that are not there. */
  readonly exact: boolean
  /** Resolves to the addresses, or to what the program says instead. `folder` is one that nobody else uses. */
  look(asked: Asked, folder: string): Promise<string[]>
}

const script = `
const [name, family] = process.argv.slice(1)
require('dns').lookup(name, { family: Number(family), all: true }, (error, found) => {
  console.log(error ? error.code : found.map(({ address }) => address).join('\\n'))
})`

/** Node does not tell two of glibc's errors apart. */
const errors: Readonly<Record<string, string>> = { ENOTFOUND: 'EAI_NONAME' }

/** Node's own, where it is the glibc that it is linked to; a reason where it is not. */
export function glibcLookup(): Lookup | string {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const version = report.header?.glibcVersionRuntime
  if (version === undefined) return 'this Node is not linked to glibc'
  const command = [process.execPath, '-e', script, '--']
  const look = async (asked: Asked, folder: string) =>
    (await run(command, asked, folder)).map(text => errors[text] ?? text)
  return { libc: 'glibc', title: `glibc ${version}`, exact: true, look }
}

/** Builds the program in `folder` with musl-gcc ($MUSL_GCC); a reason where there is none. */
export function muslLookup(folder: string): Lookup | string {
  const compiler = process.env['MUSL_GCC'] ?? 'musl-gcc'
  const program = join(folder, 'getaddrinfo')
  const source = join(import.meta.dirname, 'getaddrinfo.c')
  const built = spawnSync(compiler, ['-static', '-Wl,--trace', '-o', program, source], { encoding: 'utf8' })
  if (built.error || built.status !== 0) return `${compiler}: ${built.error?.message ?? built.stderr.trim()}`
  const version = muslVersion(built.stdout)
  if (version === undefined) return `${compiler} does not tell which musl it has`
  const [, minor = 0, patch = 0] = version.split('.').map(Number)
  const old = minor < 2 || (minor === 2 && patch < 4)
  const look = (asked: Asked, folder: string) => run([program], asked, folder)
  return { libc: old ? 'musl-1.2.3' : 'musl', title: `musl ${version}`, exact: true, look }
}

/** The linker says which library it took; the shared one beside it is a program that tells its version. */
function muslVersion(linked: string): string | undefined {
  const library = /^(\S+)\/libc\.a\b/m.exec(linked)?.[1]
  if (library === undefined) return undefined
  const { stderr } = spawnSync(join(library, 'libc.so'), { encoding: 'utf8' })
  return /^Version (\d+\.\d+\.\d+)/m.exec(stderr ?? '')?.[1]
}

export const typesOf = { 0: ['A', 'AAAA'], 4: ['A'], 6: ['AAAA'] } as const

export interface Asked {
  readonly resolvConf: string
  readonly hostname: string
  readonly name: string
  readonly family: '0' | '4' | '6'
}

/** Our stub resolver, in this process. */
export function stubLookup(libc: Libc): Lookup {
  return {
    libc,
    title: `stub resolver as ${libc}`,
    exact: false,
    async look({ resolvConf, hostname, name, family }) {
      const config = resolverConfig(resolvConf, libc, hostname)
      const walk = walkOf(libc, config, name, typesOf[family], Math.random)
      const { outcome, addresses } = await perform(walk, { clock: systemClock, random: Math.random })
      return outcome === 'found' ? [...addresses] : [outcome]
    },
  }
}

/** All of /etc is what the folder holds, so nothing of this machine has a say. */
const enclosed = 'mount --bind "$1" /etc && hostname "$2" && shift 2 && exec "$@"'

/** Far longer than the longest walk. */
const PATIENCE_MS = 30_000

/** Resolves to what the program prints, in lines, or to why it failed. It gets two arguments more, the name and the family. */
async function run(command: readonly string[], asked: Asked, folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'resolv.conf'), asked.resolvConf)
  writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: dns\n')
  const inside = [...command, asked.name, asked.family]
  const args = ['--mount', '--uts', 'sh', '-ec', enclosed, 'sh', folder, asked.hostname, ...inside]
  const { stdout } = await promisify(execFile)('unshare', args, { timeout: PATIENCE_MS, env: {} }).catch(
    (error: Error & { readonly stdout: string }) => ({ stdout: `${error.stdout} ${error.message}` }),
  )
  return stdout.trim().split('\n')
}
