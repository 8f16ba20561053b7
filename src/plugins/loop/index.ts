/**
 * `loop`: finds out at start whether the server's queries come back to it, and ends the process if they do, as it would drown in
 * them. It asks itself for a name that nobody else knows, and counts how often it is asked.
 */
import { hostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf, PortolanError } from '../../errors.ts'
import { udpUpstream } from '../../net/udp-upstream.ts'
import { type Clock, sleep } from '../../observe/clock.ts'
import type { Block, Plugin, PluginDefinition, Reply, ServerControl, SetupContext } from '../../plugin/plugin.ts'
import { SERVFAIL } from '../../wire/answer.ts'
import { keyOfName, nameFromKey, nameOf, textFromKey } from '../../wire/name.ts'
import { makeQuery, OURSELVES, type Query } from '../../wire/query.ts'
import { Type } from '../../wire/types.ts'
import { suspects } from './suspects.ts'

export const definition: PluginDefinition = {
  name: 'loop',
  setup(directive, context) {
    readOptions(directive)
    return loop(context)
  },
}

/** Sends a query over the network and waits for any reply; rejects where none comes. */
export type Probe = (address: string, port: number, query: Uint8Array) => Promise<unknown>

/** How often the probe may be seen: once, and once more if the reply was lost and an upstream asked again. */
const TOLERATED = 2
const PROBE_TIMEOUT_MS = 2000
const RETRY_EVERY_MS = 250
const GIVE_UP_AFTER_MS = 30_000
/** Loops may be slow: so long after the reply, probes that come back still count. */
const LINGER_MS = 2000

type LoopContext = Pick<SetupContext, 'block' | 'clock' | 'log' | 'random' | 'server'>

export function loop(context: LoopContext, probe: Probe = probeByUdp(context.clock)): Plugin {
  const { block, clock, log, random, server } = context
  const zone = block.origins[0]!
  const label = () => String(Math.floor(random() * Number.MAX_SAFE_INTEGER))
  const name = nameOf([label(), label()], nameFromKey(zone))
  // A zone whose name leaves no room for two labels cannot be watched.
  if (name === undefined) return { name: 'loop', handle: (query, next) => next(query) }
  const key = keyOfName(name)
  const wire = makeQuery(name, Type.HINFO, { peer: OURSELVES }).packet
  const ended = new AbortController()
  let watching = true
  let seen = 0

  function detected({ peer }: Query): Reply {
    if (seen === TOLERATED + 1) {
      const from = hostPort(peer.address, peer.port)
      const to = hostPort(block.listen[0] ?? '', peer.localPort)
      const advice = suspects(block.directives).map(line => `\n  ${line}`)
      const message =
        `plugin/loop: Loop (${from} -> ${to}) detected for zone "${textFromKey(zone)}", ` +
        `see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${textFromKey(key)}"`
      server.fail(new PortolanError('PORTOLAN_LOOP', message + advice.join('')))
    }
    return { answer: SERVFAIL, plugin: 'loop' }
  }

  /** Asks until the server answers itself, which it does once it listens. */
  async function watch(): Promise<void> {
    const deadline = clock.monotonic() + GIVE_UP_AFTER_MS
    while (watching && clock.monotonic() < deadline) {
      const own = ownAddress(block, server)
      if (own && (await answers(own))) return sleep(clock, LINGER_MS, ended.signal)
      seen = 0
      await sleep(clock, RETRY_EVERY_MS, ended.signal)
    }
  }

  async function answers({ address, port }: Address): Promise<boolean> {
    try {
      await probe(address, port, wire)
      return true
    } catch (error) {
      log.debug(`the probe was not answered: ${messageOf(error)}`)
      return false
    }
  }

  const stopWatching = () => {
    watching = false
  }
  return {
    name: 'loop',
    handle(query, next) {
      if (query.type !== Type.HINFO || !watching || query.key !== key) return next(query)
      return ++seen > TOLERATED ? detected(query) : next(query)
    },
    async start() {
      // Not waited for: the server does not listen before all plugins have started. It rejects only when `stop` ends it.
      watch().then(stopWatching, stopWatching)
    },
    async stop() {
      ended.abort()
    },
  }
}

type Address = ReturnType<ServerControl['addresses']>[number]

/** Where the block can be reached from this machine; undefined as long as it does not listen. */
function ownAddress({ listen, port }: Block, server: ServerControl): Address | undefined {
  const own = server
    .addresses()
    .find(bound => (listen.length === 0 || listen.includes(bound.address)) && (port === 0 || bound.port === port))
  return own && (WILDCARDS.has(own.address) ? { address: '127.0.0.1', port: own.port } : own)
}

const WILDCARDS = new Set(['', '0.0.0.0', '::'])

function probeByUdp(clock: Clock): Probe {
  return async (address, port, query) => {
    const upstream = udpUpstream({ address, port, clock })
    try {
      await upstream.exchange(query, PROBE_TIMEOUT_MS)
    } finally {
      upstream.close()
    }
  }
}
