/**
 * Some plugins of CoreDNS as far as their options go: for tests of the options reader, which is thereby shown in use.
 */
import { isIP } from 'node:net'
import type { Directive } from '../../src/corefile/directive.ts'
import { type OptionTable, readOptions } from '../../src/corefile/options.ts'
import { onlyDirective, type ServerBlock } from '../../src/corefile/server-block.ts'
import type { NameKey } from '../../src/wire/name.ts'

type Read = (directive: Directive, origins: readonly NameKey[]) => unknown

function cache(directive: Directive, origins: readonly NameKey[]) {
  const settings = { ttl: 3600, capacity: 9984, minimum: 0, prefetch: 0, within: 60_000, below: 10, keepTtl: false }
  const disabled: { success?: readonly NameKey[]; denial?: readonly NameKey[] } = {}
  let staleFor: number | undefined
  let refresh = 'immediate'
  if (/^-?\d+$/.test(directive.peek ?? '')) settings.ttl = directive.ttl({ name: 'ttl', min: 1 })
  const zones = directive.zones(origins)
  readOptions(directive, {
    success(option) {
      settings.capacity = option.integer({ name: 'capacity', min: 0 })
      settings.ttl = option.ttl({ name: 'ttl', min: 1, default: settings.ttl })
      settings.minimum = option.ttl({ name: 'minimum ttl', default: 0 })
    },
    prefetch(option) {
      settings.prefetch = option.integer({ name: 'amount', min: 0 })
      settings.within = option.milliseconds({ name: 'duration', default: settings.within })
      settings.below = option.percentage({ name: 'percentage', min: 10, max: 90, default: settings.below })
    },
    serve_stale(option) {
      staleFor = option.seconds({ name: 'duration', default: 3600 })
      refresh = option.oneOf(['immediate', 'verify'], { default: 'immediate' })
    },
    disable(option) {
      disabled[option.oneOf(['success', 'denial'])] = option.zones(origins)
    },
    keepttl() {
      settings.keepTtl = true
    },
  })
  return { ...settings, zones, disabled, staleFor, refresh }
}

function forward(directive: Directive) {
  const from = directive.zone({ name: 'zone' })
  const to = directive.rest({ name: 'upstreams', min: 1 }).map(token => token.text)
  const settings = { maxFails: 2, serverName: '', forceTcp: false, check: 500, recurse: true, domain: '' as string }
  const tls: string[] = []
  let except: readonly NameKey[] = []
  readOptions(directive, {
    except(option) {
      except = option.zones()
    },
    force_tcp() {
      settings.forceTcp = true
    },
    max_fails(option) {
      settings.maxFails = option.integer({ min: 0 })
    },
    tls(option) {
      while (option.more) tls.push(option.path('/etc/coredns'))
    },
    tls_servername(option) {
      settings.serverName = option.text()
    },
    health_check(option) {
      settings.check = option.milliseconds()
      while (option.more) {
        if (option.oneOf(['no_rec', 'domain']) === 'domain') settings.domain = option.domain({ name: 'domain' })
        else settings.recurse = false
      }
    },
  })
  return { from, to, except, tls, ...settings }
}

function health(directive: Directive) {
  const address = directive.address(undefined, { default: { host: '', port: 8080 } })
  let lameDuck = 0
  readOptions(directive, {
    lameduck(option) {
      lameDuck = option.milliseconds()
    },
  })
  return { ...address, lameDuck }
}

function hosts(directive: Directive, origins: readonly NameKey[]) {
  const entries: string[][] = []
  let through: readonly NameKey[] | undefined
  const file = directive.path('/etc/coredns', { default: '/etc/hosts' })
  const zones = directive.zones(origins)
  const table: OptionTable = {
    fallthrough(option) {
      through = option.zones(['\0' as NameKey])
    },
  }
  readOptions(directive, table, entry => {
    if (isIP(entry.name) === 0) return false
    entries.push([entry.name, ...entry.rest({ name: 'names', min: 1 }).map(token => token.text)])
    return true
  })
  return { file, zones, entries, through }
}

function kubernetes(directive: Directive, origins: readonly NameKey[]) {
  const zones = directive.zones(origins)
  let ttl = 5
  readOptions(directive, {
    ttl(option) {
      ttl = option.ttl({ max: 3600 })
    },
  })
  return { zones, ttl }
}

const anything: Read = directive => {
  directive.rest()
  directive.takeBlock()
}

export const samplePlugins: Readonly<Record<string, Read>> = {
  bind: anything,
  log: anything,
  errors: directive => readOptions(directive),
  whoami: directive => readOptions(directive),
  cache,
  forward,
  health,
  hosts,
  kubernetes,
}

/** Reads every plugin of a server block; what each read, in the order of the Corefile. */
export function readPlugins(block: ServerBlock): unknown[] {
  const origins = block.addresses.map(address => address.origin)
  return block.directives.map(directive => {
    if (directive.name !== 'forward') onlyDirective(block, directive.name)
    return samplePlugins[directive.name]!(directive, origins)
  })
}
