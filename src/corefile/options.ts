/**
 * How a plugin reads its directive: arguments first, then a table of options. What is unknown, missing, left over or of the
 * wrong kind becomes a positioned error here or in `Directive`, so a plugin says only what it knows.
 *
 * ```ts
 * // cache [TTL] [ZONES...] { success CAP [TTL] [MINTTL]; prefetch AMOUNT [DURATION [PERCENTAGE%]]; disable success|denial [ZONES...]; keepttl }
 * setup(directive, context) {
 *   const settings = { ttl: 3600, zones: context.block.origins, cap: 9984, keepTtl: false, … }
 *   if (/^\d+$/.test(directive.peek ?? '')) settings.ttl = directive.ttl({ name: 'ttl', min: 1 })
 *   settings.zones = directive.zones(context.block.origins)
 *   readOptions(directive, {
 *     success(option) {
 *       settings.cap = option.integer({ name: 'capacity', min: 0 })
 *       settings.ttl = option.ttl({ name: 'ttl', min: 1, default: settings.ttl })
 *     },
 *     prefetch(option) {
 *       settings.prefetch = option.integer({ name: 'amount', min: 0 })
 *       settings.prefetchWithin = option.milliseconds({ name: 'duration', default: 60_000 })
 *       settings.prefetchBelow = option.percentage({ name: 'percentage', min: 10, max: 90, default: 10 })
 *     },
 *     disable(option) {
 *       const kind = option.oneOf(['success', 'denial'])
 *       settings.disabled[kind] = option.zones(context.block.origins)
 *     },
 *     keepttl() {
 *       settings.keepTtl = true
 *     },
 *   })
 *   …
 * }
 * ```
 */
import type { Directive } from './directive.ts'
import { hint } from './nearest.ts'

/** What to do with each option, by name. A reader reads the option's arguments; one without arguments is a flag. */
export type OptionTable = Readonly<Record<string, (option: Directive) => void>>

/**
 * Reads the block of a directive, which may be absent, and sees to it that nothing is left over: to be called when the
 * directive's own arguments have been read, by plugins without options too. `other` is offered what the table does not have
 * (the entries of `hosts`) and tells whether it took it. Throws PORTOLAN_COREFILE_OPTION at the option or the argument.
 */
export function readOptions(
  directive: Directive,
  table: OptionTable = {},
  other: (option: Directive) => boolean = () => false,
): void {
  for (const option of directive.takeBlock()) {
    const read = Object.hasOwn(table, option.name) ? table[option.name] : undefined
    if (read) {
      read(option)
    } else if (!other(option)) {
      throw option.error(`unknown option "${option.name}"${hint(option.name, Object.keys(table))}`)
    }
    option.end()
  }
  directive.end()
}
