/** The machine that the figures are from. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, type } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly node: string
  /** The largest receive buffer that a socket may ask for, in octets. */
  readonly rmemMax: number
  /** Of the last minute. */
  readonly loadAverage: number
}

export function machine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown CPU',
    cores: cores.length,
    kernel: `${type()} ${release()}`,
    node: process.version,
    rmemMax: Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8')),
    loadAverage: loadavg()[0]!,
  }
}
