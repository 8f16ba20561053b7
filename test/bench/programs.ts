/** The servers that there are to measure on this machine: how each is started. Starting them is left to servers.ts. */
import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { usualSockets } from '../../src/server/udp-engine.ts'
import { built, sources, stateOfBuilt } from '../e2e/program.ts'
import type { Zone } from './zone.ts'

export const serverNames = ['bare', 'minimal', 'knot', 'nsd', 'portolan', 'portolan-dgram', 'coredns'] as const
export type ServerName = (typeof serverNames)[number]

/** Who serves UDP with sockets of their own has as many as portolan does by itself: the fewer there are, the fuller are the batches. */
const threads = usualSockets()

/** What each of them is, for people. */
export const serverTitles: Readonly<Record<ServerName, string>> = {
  bare: `C: recvmmsg, one fixed record, sendmmsg with PKTINFO; threads: ${threads}`,
  minimal: 'Node: dgram, one fixed record',
  knot: `Knot DNS, the cluster as zone files; UDP workers: ${threads}`,
  nsd: `NSD, the cluster as zone files; servers: ${threads}`,
  portolan: `portolan (-udp-engine batch); answer threads: ${threads}`,
  'portolan-dgram': "portolan on Node's sockets (-udp-engine dgram)",
  coredns: "CoreDNS, kubeadm's Corefile",
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
}

/** Where a server listens and keeps what it needs. */
export interface Place {
  readonly port: number
  /** A folder of its own. */
  readonly folder: string
  /** Path of the Corefile that it shall serve, if it serves one. */
  readonly corefile: string
}

export interface Program {
  readonly name: ServerName
  /** What it knows: any name (the same answer for all), the zones of the cluster, or all that a Corefile says. */
  readonly knows: 'nothing' | 'zones' | 'corefile'
  readonly version: string
  command(place: Place): Promise<Command>
}

export interface Choice {
  /** Path of CoreDNS; undefined where there is none. */
  readonly coredns: string | undefined
  /** Whether the sources are measured and not what was built of them. */
  readonly sources: boolean
  /** Where portolan's CPU profiles are written, if anywhere. */
  readonly profiles: string | undefined
  /** For what is compiled. */
  readonly folder: string
  zones(): readonly Zone[]
}

/** What can be started here, and why the rest cannot. */
export function findPrograms(choice: Choice): { programs: Program[]; notes: string[] } {
  const notes: string[] = []
  const orNote = (program: Program | undefined, note: string): Program[] => {
    if (program === undefined) notes.push(note)
    return program === undefined ? [] : [program]
  }
  const state = stateOfBuilt()
  const isBuilt = !choice.sources && state !== 'missing'
  if (isBuilt && state === 'stale') notes.push('dist/ is older than the sources: build it with --dist')
  if (!isBuilt && !choice.sources)
    notes.push('portolan is measured from its sources: there is no dist/ (build it with --dist)')
  const programs = [
    ...orNote(bareProgram(choice), 'the bare answerer in C is not measured: there is no C compiler (cc) that takes it'),
    minimalProgram(),
    ...orNote(
      knotProgram(choice) ?? nsdProgram(choice),
      'no server of zone files is measured: neither Knot DNS (Debian: knot) nor NSD is installed',
    ),
    portolanProgram('portolan', 'batch', isBuilt, choice),
    portolanProgram('portolan-dgram', 'dgram', isBuilt, choice),
    ...(choice.coredns === undefined ? [] : [corednsProgram(choice.coredns)]),
  ]
  return { programs, notes }
}

function bareProgram({ folder }: Choice): Program | undefined {
  const program = join(folder, 'bare')
  const source = fileURLToPath(new URL('bare.c', import.meta.url))
  const { status } = spawnSync('cc', ['-O2', '-pthread', '-o', program, source], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) return undefined
  const command = async ({ port }: Place) => ({ program, args: [String(port), String(threads)] })
  return { name: 'bare', knows: 'nothing', version: 'test/bench/bare.c, cc -O2', command }
}

function minimalProgram(): Program {
  const script = fileURLToPath(new URL('minimal.ts', import.meta.url))
  const command = async ({ port }: Place) => ({ program: process.execPath, args: [script, String(port)] })
  return { name: 'minimal', knows: 'nothing', version: `Node ${process.version}`, command }
}

function portolanProgram(name: ServerName, engine: string, isBuilt: boolean, { profiles }: Choice): Program {
  const profile =
    profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.cpuprofile`]
  const script = isBuilt ? built : sources
  return {
    name,
    knows: 'corefile',
    version: `${isBuilt ? 'dist/' : 'src/'}, Node ${process.version}`,
    command: async ({ corefile }) => ({
      program: process.execPath,
      args: [...profile, script, 'serve', '-conf', corefile, '-udp-engine', engine],
    }),
  }
}

function corednsProgram(program: string): Program {
  const command = async ({ corefile }: Place) => ({ program, args: ['-conf', corefile] })
  return { name: 'coredns', knows: 'corefile', version: versionOf(program, ['-version']) ?? 'unknown', command }
}

interface ZoneFile {
  readonly origin: string
  readonly file: string
}

/** A server of zone files; `version` asks what it is, `start` writes its configuration and gives the arguments it is started with. */
function zoneServer(
  name: 'knot' | 'nsd',
  { zones }: Choice,
  [program, ...version]: readonly [string, ...string[]],
  start: (place: Place, files: readonly ZoneFile[]) => Promise<readonly string[]>,
): Program | undefined {
  const told = versionOf(program, version)
  if (told === undefined) return undefined
  const command = async (place: Place) => {
    const files = await writeZones(zones(), place.folder)
    return { program, args: await start(place, files) }
  }
  return { name, knows: 'zones', version: told, command }
}

function knotProgram(choice: Choice): Program | undefined {
  return zoneServer('knot', choice, ['knotd', '--version'], async ({ port, folder }, files) => {
    const lines = [
      'server:',
      `    rundir: "${folder}"`,
      `    listen: 127.0.0.1@${port}`,
      `    udp-workers: ${threads}`,
      '    tcp-workers: 1',
      '    background-workers: 1',
      'database:',
      `    storage: "${folder}"`,
      'log:',
      '  - target: stderr',
      '    any: warning',
      'zone:',
      ...files.flatMap(({ origin, file }) => [
        `  - domain: ${origin}`,
        `    file: "${file}"`,
        '    zonefile-sync: -1',
        '    journal-content: none',
      ]),
    ]
    return ['-c', await written(folder, 'knot.conf', lines)]
  })
}

function nsdProgram(choice: Choice): Program | undefined {
  return zoneServer('nsd', choice, ['nsd', '-v'], async ({ port, folder }, files) => {
    const lines = [
      'server:',
      `    ip-address: 127.0.0.1@${port}`,
      `    server-count: ${threads}`,
      `    reuseport: ${threads > 1 ? 'yes' : 'no'}`,
      '    username: ""',
      '    chroot: ""',
      '    pidfile: ""',
      `    zonesdir: "${folder}"`,
      `    zonelistfile: "${folder}/zone.list"`,
      `    xfrdfile: "${folder}/xfrd.state"`,
      '    rrl-ratelimit: 0',
      'remote-control:',
      '    control-enable: no',
      ...files.flatMap(({ origin, file }) => ['zone:', `    name: ${origin}`, `    zonefile: "${file}"`]),
    ]
    return ['-d', '-c', await written(folder, 'nsd.conf', lines)]
  })
}

async function writeZones(zones: readonly Zone[], folder: string): Promise<readonly ZoneFile[]> {
  await mkdir(folder, { recursive: true })
  return Promise.all(
    zones.map(async ({ origin, text }) => {
      const file = join(folder, `${origin}.zone`)
      await writeFile(file, text)
      return { origin, file }
    }),
  )
}

async function written(folder: string, name: string, lines: readonly string[]): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

/** The first line of what a program says of itself; undefined where it is not installed. */
function versionOf(program: string, args: readonly string[]): string | undefined {
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return error ? undefined : `${stdout}${stderr}`.trim().split('\n')[0]
}
