/** What the kernel tells of other processes: the CPU time that they used, the memory that they hold, the packets they lost. Linux only. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'

/** The unit of times in /proc, the same on every architecture that Node runs on. */
const ticksPerSecond = 100

/**
 * User and system time of all threads of a process and its children, in seconds. From the scheduler, to the nanosecond, where the
 * kernel tells that; the time of threads that ended in between is then missing.
 */
export function cpuSeconds(pid: number): number {
  return sumOver(pid, each => scheduledSeconds(each) ?? accountedSeconds(each))
}

export interface Memory {
  /** Now, in MiB. */
  readonly residentMb: number
  /** The most that it ever was. */
  readonly peakMb: number
}

/** Of a process and its children; pages that these share count for each. */
export function memory(pid: number): Memory {
  return {
    residentMb: sumOver(pid, each => statusMb(each, 'VmRSS')),
    peakMb: sumOver(pid, each => statusMb(each, 'VmHWM')),
  }
}

/** From now on the most that the process has held is counted anew. Of one's own processes; children are left out. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** How many packets the kernel dropped since the UDP sockets on this port were opened, because nobody had read those before. */
export function droppedPackets(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return ['udp', 'udp6']
    .flatMap(table => readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .map(line => line.trim().split(/\s+/))
    .filter(fields => fields[1]!.endsWith(local))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0)
}

function sumOver(pid: number, figure: (pid: number) => number): number {
  return figure(pid) + childrenOf(pid).reduce((sum, child) => sum + sumOver(child, figure), 0)
}

function childrenOf(pid: number): number[] {
  return globSync(`/proc/${pid}/task/*/children`).flatMap(file =>
    readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  )
}

function scheduledSeconds(pid: number): number | undefined {
  const threads = globSync(`/proc/${pid}/task/*/schedstat`)
  if (threads.length === 0) return undefined
  return threads.reduce((sum, file) => sum + Number(readFileSync(file, 'utf8').split(' ')[0]), 0) / 1e9
}

function accountedSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name, which may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

function statusMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
