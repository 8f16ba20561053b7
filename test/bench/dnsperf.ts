/** The load generator where dnsperf is installed. */
import { spawn, spawnSync } from 'node:child_process'
import { messageOf, PortolanError } from '../../src/errors.ts'
import { bounds, type Generator, type Load, type LoadOptions } from './load.ts'

/** Undefined where dnsperf is not installed. */
export function dnsperf(): Generator | undefined {
  const { error, stdout, stderr } = spawnSync('dnsperf', ['-h'], { encoding: 'utf8' })
  if (error) return undefined
  const [, version = ''] = /Version (\S+)/.exec(stdout + stderr) ?? []
  return { name: `dnsperf ${version} -c ${bounds.clients} -q ${bounds.waiting}`, canTcp: true, run }
}

async function run({ port, questions, seconds, rate, edns, tcp, from, signal }: LoadOptions): Promise<Load> {
  const waiting = rate === undefined ? bounds.waiting : bounds.waitingAtRate
  const args = ['-s', '127.0.0.1', '-p', port, '-d', questions, '-l', seconds, '-c', bounds.clients, '-q', waiting]
  args.push('-t', bounds.timeoutSeconds)
  // Only the verbose output tells each latency.
  if (rate !== undefined) args.push('-Q', rate, '-v')
  if (edns) args.push('-e')
  if (tcp) args.push('-m', 'tcp')
  if (from !== undefined) args.push('-a', from)
  const child = spawn('dnsperf', args.map(String), { stdio: ['ignore', 'pipe', 'inherit'], signal })
  const ended = Promise.withResolvers<void>()
  child.once('error', ended.reject)
  child.once('close', code => (code === 0 ? ended.resolve() : ended.reject(failed(`it ended with code ${code}`))))
  // Read when all is over, so that reading takes no time from what is measured.
  const output: Buffer[] = []
  child.stdout.on('data', part => output.push(part))
  await ended.promise
  const lines = Buffer.concat(output).toString('latin1').split('\n')
  const latencies = lines
    .filter(line => line.startsWith('> ') && !line.startsWith('> T '))
    .map(line => Number(line.slice(line.lastIndexOf(' '))) * 1000)
  return { ...summaryOf(lines.filter(line => !line.startsWith('> ')).join('\n')), latencies }
}

function summaryOf(report: string): Omit<Load, 'latencies'> {
  const text = (label: string): string => {
    const found = new RegExp(`^\\s*${label}:\\s+(.*)$`, 'm').exec(report)?.[1]
    if (found === undefined) throw failed(`it does not tell "${label}":\n${report}`)
    return found
  }
  return {
    answered: Number.parseInt(text('Queries completed'), 10),
    lost: Number.parseInt(text('Queries lost'), 10),
    perSecond: Number.parseFloat(text('Queries per second')),
    codes: Object.fromEntries(
      [...text('Response codes').matchAll(/(\w+) (\d+) \(/g)].map(([, code, count]) => [code!, Number(count)]),
    ),
  }
}

function failed(why: unknown): PortolanError {
  return new PortolanError('PORTOLAN_BENCH_DNSPERF', `dnsperf: ${messageOf(why)}`)
}
