#!/usr/bin/env node
/**
 * The program: gives the command line what it needs of the process. Everything else is loaded once SIGUSR1 is handled, with
 * which CoreDNS is told to reload: until then Node takes it for the wish to open its debugger.
 */
import { close as closeDebugger, url as debuggerUrl } from 'node:inspector'
import { text } from 'node:stream/consumers'
import { saveMemory } from './cli/memory.ts'

// Not for what ends at once.
if (/^(serve$|-|$)/.test(process.argv[2] ?? '')) saveMemory(process)

process.on('SIGUSR1', keepDebuggerClosed)
// Nobody reads the output any more: other programs end by SIGPIPE then.
process.stdout.on('error', () => process.exit(1))

const { portolan } = await import('./cli/portolan.ts')
const { systemClock } = await import('./observe/clock.ts')
const { plugins } = await import('./plugins/index.ts')

// A signal that came before the first line opens the debugger now or a little later.
keepDebuggerClosed()
systemClock.after(1_000, keepDebuggerClosed)

const code = await portolan(process.argv.slice(2), {
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
})
// What a pipe has not taken yet would be lost.
await Promise.all([process.stdout, process.stderr].map(stream => new Promise(taken => stream.write('', taken))))
process.exit(code)

/** Closes a debugger that nobody asked for on the command line. */
function keepDebuggerClosed(): void {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(option => option.includes('--inspect'))
  if (!asked && debuggerUrl() !== undefined) closeDebugger()
}
