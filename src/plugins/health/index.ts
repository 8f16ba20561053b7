/**
 * `health`: tells over HTTP that the process lives, and keeps it answering for a while when it is to end, until everybody knows.
 */
import { type HostPort, hostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import { httpStatus } from '../../net/http-get.ts'
import type { HttpClaim, HttpHandler } from '../../net/http-hub.ts'
import { sleep, type Timer } from '../../observe/clock.ts'
import { durationText } from '../../observe/duration-text.ts'
import type { Fixture, PluginDefinition, SetupContext } from '../../plugin/plugin.ts'

export const definition: PluginDefinition = {
  name: 'health',
  repeatable: true,
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: '', port: 8080 } })
    let lameduckMs = 0
    readOptions(directive, {
      lameduck(option) {
        lameduckMs = option.milliseconds({ name: 'duration' })
      },
    })
    return health({ listen, lameduckMs }, context)
  },
}

export interface HealthOptions {
  readonly listen: HostPort
  /** How long queries are still answered when the process is to end. */
  readonly lameduckMs: number
}

const CHECK_EVERY_MS = 1000
const TIMEOUT_MS = 3000
/** A check that took longer is worth a line: the process is busy, or starved. */
const SLOW_MS = 1000

/** `check` asks an HTTP listener for the status of a path. */
export function health(
  { listen, lameduckMs }: HealthOptions,
  { clock, http, log, metrics }: Pick<SetupContext, 'clock' | 'http' | 'log' | 'metrics'>,
  check: typeof httpStatus = httpStatus,
): Fixture {
  const durations = metrics
    .histogram(
      'coredns_health_request_duration_seconds',
      'Histogram of the time (in seconds) each request took.',
      [],
      [0.00025, 0.0025, 0.025, 0.25, 2.5],
    )
    .of()
  const failures = metrics
    .counter('coredns_health_request_failures_total', 'The number of times the health check failed.', [])
    .of()
  let claim: HttpClaim | undefined
  let timer: Timer | undefined
  let checking = false

  /** Asks for its own health: how long that takes shows how busy the process is. */
  async function checkSelf(port: number): Promise<void> {
    if (checking) return
    checking = true
    const host = listen.host === '' ? 'localhost' : listen.host
    const url = `http://${hostPort(host, port)}/health`
    const start = clock.monotonic()
    const elapsed = () => clock.monotonic() - start
    try {
      await check(host, port, '/health', TIMEOUT_MS)
      if (elapsed() > SLOW_MS) {
        log.warning(`Local health request to "${url}" took more than 1s: ${durationText(elapsed())}`)
      }
    } catch (error) {
      // A check that is cut off by the end of the listener says nothing.
      if (timer) {
        failures.add()
        log.warning(`Local health request to "${url}" failed: ${messageOf(error)}`)
      }
    }
    if (timer) durations.observe(elapsed() / 1000)
    checking = false
  }

  return {
    name: 'health',
    async start() {
      const opened = await http.claim(hostPort(listen.host, listen.port), { '/health': ok }, 'health')
      claim = opened
      timer = clock.every(CHECK_EVERY_MS, () => void checkSelf(opened.port))
    },
    async drain() {
      if (lameduckMs === 0) return
      log.info(`Going into lameduck mode for ${durationText(lameduckMs)}`)
      await sleep(clock, lameduckMs)
    },
    async stop() {
      timer?.cancel()
      timer = undefined
      await claim?.release()
    },
  }
}

/** Who can answer is healthy. */
const ok: HttpHandler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' }).end('OK')
}
