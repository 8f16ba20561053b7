/** The table alone, in a process of its own, so that its heap holds nothing else. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { PortolanError } from '../../../src/errors.ts'
import type { ControlPlane } from '../../e2e/control-plane.ts'

export interface TableFigures {
  /** Routes, and endpoints of them, of both families. */
  readonly routes: number
  readonly endpoints: number
  /** From the cluster's state to the whole table. */
  readonly builtMs: number
  /** What it takes of the heap beside that state, in MiB. */
  readonly heapMb: number
  /** Texts of both families, from a table that is there: the median. */
  readonly iptablesMs: number
  readonly nftablesMs: number
  /** Their sizes in MiB. */
  readonly iptablesMb: number
  readonly nftablesMb: number
}

export async function measureTable({ kubeconfig }: ControlPlane, say: (line: string) => void): Promise<TableFigures> {
  say('building the table and rendering')
  const program = fileURLToPath(new URL('table-program.ts', import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', program, kubeconfig], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new PortolanError('PORTOLAN_BENCH_TABLE', `measuring the table ended with code ${code}`)
  return JSON.parse(output)
}
