/**
 * The library: what a plugin of one's own is made from, and what runs a server that has it. Everything else is internal and may
 * change with any release.
 *
 * ```ts
 * import { bare, httpHub, isWithin, logger, metrics, type PluginDefinition, plugins, Rcode, readOptions, Server, systemClock } from 'portolan'
 *
 * // refuse ZONES...: NXDOMAIN for the zones, whatever the plugins behind it know.
 * const refuse: PluginDefinition = {
 *   name: 'refuse',
 *   setup(directive, { block }) {
 *     const zones = directive.zones(block.origins)
 *     readOptions(directive)
 *     const reply = { answer: bare(Rcode.NXDOMAIN), plugin: 'refuse' }
 *     return { name: 'refuse', handle: (query, next) => (zones.some(zone => isWithin(query.key, zone)) ? reply : next(query)) }
 *   },
 * }
 *
 * const server = new Server({
 *   corefile: 'Corefile',
 *   port: 53,
 *   env: process.env,
 *   plugins: [refuse, ...plugins],
 *   clock: systemClock,
 *   random: Math.random,
 *   log: logger({ format: 'text', write: line => process.stdout.write(line) }),
 *   metrics: metrics(),
 *   http: httpHub(),
 *   fail: reason => { throw reason },
 * })
 * await server.start()
 * ```
 */

/* A directive of the Corefile, and how a plugin reads it. */
export type { Argument, Directive, NumberArgument } from './corefile/directive.ts'
export { type OptionTable, readOptions } from './corefile/options.ts'
export { PortolanError, type Position } from './errors.ts'
/* What a plugin is given to work with; to be passed to a server, or held still by a test. */
export { type HttpClaim, type HttpHandler, type HttpHub, httpHub } from './net/http-hub.ts'
export { type Clock, type Random, systemClock, type Timer } from './observe/clock.ts'
export { type Logger, type LoggerOptions, logger } from './observe/logger.ts'
export { type Counter, type Family, type Gauge, type Histogram, type Metrics, metrics } from './observe/metrics.ts'
/* The contract of a plugin. */
// Not `then`: a module that exports this name is taken for a promise by who imports it dynamically.
export { then as editReply } from './plugin/chain.ts'
export type { CutDraft } from './plugin/cut-draft.ts'
export { type Footprint, NO_FOOTPRINT } from './plugin/footprint.ts'
export type {
  Block,
  Fixture,
  Freshness,
  Next,
  Plugin,
  PluginDefinition,
  Probed,
  Reply,
  Resources,
  ServerControl,
  SetupContext,
} from './plugin/plugin.ts'
export type { SearchLists } from './plugin/search-lists.ts'
export { plugins } from './plugins/index.ts'
export { Server, type ServerOptions } from './server/server.ts'
export { version } from './version.ts'
/* Questions and answers. */
export { type Answer, bare, NOTIMP, REFUSED, SERVFAIL } from './wire/answer.ts'
export { edited, lowestTtl, withTtl } from './wire/edit.ts'
export { isWithin, keyFromText, type NameKey, nameFromKey, nameFromText, nameToText, textFromKey } from './wire/name.ts'
export { makeQuery, type Peer, type Protocol, type Query } from './wire/query.ts'
export { decode, encode, type Header, type Record, type Sections } from './wire/record.ts'
export { Bit, Class, Rcode, Type, typeName, typeNumber } from './wire/types.ts'
