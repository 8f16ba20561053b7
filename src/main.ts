/**
 * The program: gives the command line what it needs of the process. The rest is loaded only after SIGUSR1 is handled: until
 * then this signal, with which CoreDNS is told to reload, would end the process (or open Node's debugger to the machine).
 */
import { text } from 'node:stream/consumers'

process.on('SIGUSR1', () => undefined)

const { portolan } = await import('./cli/portolan.ts')
const { systemClock } = await import('./observe/clock.ts')
const { plugins } = await import('./plugins/index.ts')

process.exit(
  await portolan(process.argv.slice(2), {
    out: line => process.stdout.write(line),
    err: line => process.stderr.write(line),
    input: () => text(process.stdin),
    env: process.env,
    signals: process,
    exit: code => process.exit(code),
    clock: systemClock,
    random: Math.random,
    plugins,
    documents: new URL('./plugins/', import.meta.url),
  }),
)
