/**
 * `reload`: looks from time to time whether the Corefile has changed, and has it loaded anew. What a reload is, and what happens
 * to a Corefile with mistakes, is the server's affair.
 */
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import type { Timer } from '../../observe/clock.ts'
import type { Fixture, PluginDefinition, SetupContext } from '../../plugin/plugin.ts'

const SECOND = 1000

export const definition: PluginDefinition = {
  name: 'reload',
  setup(directive, context) {
    const intervalMs = directive.milliseconds({ name: 'interval', min: 2 * SECOND, default: 30 * SECOND })
    const jitter = directive.peek
    const jitterMs = directive.milliseconds({ name: 'jitter', default: 15 * SECOND })
    if (jitter !== undefined && jitterMs > 0 && jitterMs < SECOND) {
      throw directive.error(`jitter must be 0 or at least 1s, got "${jitter}"`, directive.args[1])
    }
    readOptions(directive)
    return reload(intervalMs, Math.min(jitterMs, intervalMs / 2), context)
  },
}

function reload(
  intervalMs: number,
  jitterMs: number,
  { clock, log, metrics, random, server }: Pick<SetupContext, 'clock' | 'log' | 'metrics' | 'random' | 'server'>,
): Fixture {
  const failed = metrics
    .counter('coredns_reload_failed_total', 'Counter of the number of failed reload attempts.', [])
    .of()
  const versions = metrics.info(
    'coredns_reload_version_info',
    "A metric with a constant '1' value labeled by hash, and value which type of hash generated.",
    ['hash', 'value'],
  )
  let checking = false
  let release: (() => void) | undefined
  let timer: Timer | undefined

  async function check(): Promise<void> {
    if (checking) return
    checking = true
    try {
      if ((await server.corefileChanged()) && timer && !(await server.reload())) failed.add()
    } catch (error) {
      log.warning(`Corefile parse failed: ${messageOf(error)}`)
    }
    checking = false
  }

  return {
    name: 'reload',
    async start() {
      log.info(`Running configuration SHA512 = ${server.corefileHash}`)
      release = versions.hold('sha512', server.corefileHash)
      // Many replicas that started together shall not reload together.
      timer = clock.every(intervalMs + (random() - 0.5) * jitterMs, () => void check())
    },
    async stop() {
      timer?.cancel()
      timer = undefined
      release?.()
    },
  }
}
