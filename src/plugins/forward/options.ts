/** `forward FROM TO... { … }` as values. All options of CoreDNS 1.15 are read, with its defaults. */
import { isIP } from 'node:net'
import { parseHostPort } from '../../corefile/addresses.ts'
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { zonesFromText } from '../../corefile/zones.ts'
import type { HttpsMethod } from '../../net/https-upstream.ts'
import { type NameKey, ROOT } from '../../wire/name.ts'
import { Rcode } from '../../wire/types.ts'
import { type Destination, readDestinations } from './destinations.ts'
import { type PolicyName, policies } from './policy.ts'
import { readTls, type TlsFiles } from './tls.ts'

export interface Resolver {
  readonly address: string
  readonly port: number
}

export interface ForwardOptions {
  /** The zones whose names are forwarded; several where FROM is a network off an octet boundary. */
  readonly from: readonly NameKey[]
  readonly to: readonly Destination[]
  except: readonly NameKey[]
  forceTcp: boolean
  preferUdp: boolean
  expireMs: number
  /** 0: no limit. */
  maxAgeMs: number
  /** 0: no limit. */
  maxIdle: number
  readTimeoutMs: number
  /** 0: never down. */
  maxFails: number
  /** Undefined: twice the upstreams; 0: no limit. */
  maxConnectAttempts: number | undefined
  dohMethod: HttpsMethod
  policy: PolicyName
  healthCheckMs: number
  healthCheckRecursion: boolean
  healthCheckDomain: NameKey
  /** 0: no limit. */
  maxConcurrent: number
  readonly nextRcodes: Set<number>
  nextOnNodata: boolean
  readonly failover: Set<number>
  failfast: boolean
  tls: TlsFiles
  tlsServerName: string | undefined
  sourceAddress: string | undefined
  /** Who is asked for the host names in TO; none: the system. */
  resolvers: readonly Resolver[]
}

const UINT32_MAX = 0xffff_ffff

/** Reads the directive; relative paths start from `directory`. Throws positioned errors. */
export function readForwardOptions(directive: Directive, directory: string): ForwardOptions {
  const options: ForwardOptions = {
    from: readFrom(directive),
    to: readDestinations(directive, directory),
    except: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    maxAgeMs: 0,
    maxIdle: 0,
    readTimeoutMs: 2_000,
    maxFails: 2,
    maxConnectAttempts: undefined,
    dohMethod: 'POST',
    policy: 'random',
    healthCheckMs: 500,
    healthCheckRecursion: true,
    healthCheckDomain: ROOT,
    maxConcurrent: 0,
    nextRcodes: new Set(),
    nextOnNodata: false,
    failover: new Set(),
    failfast: false,
    tls: {},
    tlsServerName: undefined,
    sourceAddress: undefined,
    resolvers: [],
  }
  let maxAge: Directive | undefined
  readOptions(directive, {
    except(option) {
      options.except = [...options.except, ...option.zones()]
    },
    force_tcp() {
      options.forceTcp = true
    },
    prefer_udp() {
      options.preferUdp = true
    },
    expire(option) {
      options.expireMs = option.milliseconds()
    },
    max_age(option) {
      maxAge = option
      options.maxAgeMs = option.milliseconds()
    },
    max_idle_conns(option) {
      options.maxIdle = option.integer({ min: 0 })
    },
    read_timeout(option) {
      options.readTimeoutMs = option.milliseconds({ min: 1 })
    },
    max_fails(option) {
      options.maxFails = option.integer({ min: 0, max: UINT32_MAX })
    },
    max_connect_attempts(option) {
      options.maxConnectAttempts = option.integer({ min: 0, max: UINT32_MAX })
    },
    doh_method(option) {
      options.dohMethod = option.oneOf(['GET', 'POST'])
    },
    policy(option) {
      options.policy = option.oneOf(policies)
    },
    health_check(option) {
      readHealthCheck(option, options)
    },
    max_concurrent(option) {
      options.maxConcurrent = option.integer({ min: 0 })
    },
    next(option) {
      for (const code of readRcodes(option)) options.nextRcodes.add(code)
    },
    next_on_nodata() {
      options.nextOnNodata = true
    },
    failover(option) {
      const success = option.args.find(({ text }) => text.toUpperCase() === 'NOERROR')
      if (success) throw option.error('NoError cannot be used in failover', success)
      for (const code of readRcodes(option)) options.failover.add(code)
    },
    failfast_all_unhealthy_upstreams() {
      options.failfast = true
    },
    tls(option) {
      options.tls = readTls(option, directory)
    },
    tls_servername(option) {
      options.tlsServerName = option.text()
    },
    source_address(option) {
      const [address] = option.args
      options.sourceAddress = option.text()
      if (!isIP(options.sourceAddress)) throw option.error(`invalid IP address: ${options.sourceAddress}`, address)
    },
    resolver(option) {
      options.resolvers = readResolvers(option)
    },
  })
  if (maxAge && options.maxAgeMs > 0 && options.maxAgeMs < options.expireMs) {
    const [shorter, longer] = [options.maxAgeMs / 1000, options.expireMs / 1000]
    throw maxAge.error(`max_age (${shorter}s) must not be less than expire (${longer}s)`, maxAge.args[0])
  }
  const named = options.to.find(({ serverName }) => serverName !== undefined)
  if (named && options.tlsServerName !== undefined) {
    const both = `both tls_servername ("${options.tlsServerName}") and a name of its own ("${named.serverName}")`
    throw directive.error(`${both} are set for the upstream ${named.host}`)
  }
  return options
}

/** FROM may be written like the key of a server block; its scheme and port mean nothing here. */
function readFrom(directive: Directive): readonly NameKey[] {
  const text = directive.text({ name: 'FROM' })
  const result = zonesFromText(text.replace(/^dns:\/\//, '').replace(/:\d+$/, ''))
  if ('problem' in result) throw directive.error(`unable to normalize '${text}': ${result.problem}`, directive.args[0])
  return result.zones
}

function readHealthCheck(option: Directive, options: ForwardOptions): void {
  options.healthCheckMs = option.milliseconds({ name: 'duration' })
  options.healthCheckDomain = ROOT
  while (option.more) {
    if (option.oneOf(['no_rec', 'domain']) === 'no_rec') options.healthCheckRecursion = false
    else options.healthCheckDomain = option.domain({ name: 'domain' })
  }
}

/** The mnemonics of CoreDNS, which has some of its own. */
const rcodes = new Map<string, number>(Object.entries({ ...Rcode, NOTIMPL: 4, DSOTYPENI: 11, BADSIG: 16 }))

function readRcodes(option: Directive): number[] {
  return option.rest({ name: 'rcode', min: 1 }).map(token => {
    const code = rcodes.get(token.text.toUpperCase())
    if (code === undefined) throw option.error(`${token.text} is not a valid rcode`, token)
    return code
  })
}

function readResolvers(option: Directive): Resolver[] {
  return option.rest({ name: 'address', min: 1 }).map(token => {
    const parsed = parseHostPort(token.text, 53)
    if (parsed && isIP(parsed.host)) return { address: parsed.host, port: parsed.port }
    throw option.error(`resolver must be an IP address or IP:port: "${token.text}"`, token)
  })
}
