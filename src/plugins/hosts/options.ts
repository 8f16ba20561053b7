/** What a `hosts` directive says. */
import type { Directive } from '../../corefile/directive.ts'
import { positionText } from '../../corefile/errors.ts'
import { readOptions } from '../../corefile/options.ts'
import { type NameKey, ROOT } from '../../wire/name.ts'
import { type HostsEntry, parseHosts } from './hosts-file.ts'

export interface HostsOptions {
  readonly file: string
  readonly zones: readonly NameKey[]
  /** Entries that stand in the Corefile. */
  readonly inline: HostsEntry[]
  /** What was left out of these, with its place. */
  readonly mistakes: string[]
  /** Seconds. */
  ttl: number
  reverse: boolean
  /** 0 for never. */
  reloadMs: number
  /** Zones whose unknown names go on to the next plugin. */
  fallthrough: readonly NameKey[]
  /** Whether there also types go on that a hosts file does not have. */
  fallthroughUnsupported: boolean
}

const DEFAULT_FILE = '/etc/hosts'

export function readHostsOptions(
  directive: Directive,
  { origins, directory }: { origins: readonly NameKey[]; directory: string },
): HostsOptions {
  const options: HostsOptions = {
    file: directive.path(directory, { name: 'file', default: DEFAULT_FILE }),
    zones: directive.zones(origins),
    inline: [],
    mistakes: [],
    ttl: 3600,
    reverse: true,
    reloadMs: 5000,
    fallthrough: [],
    fallthroughUnsupported: false,
  }
  let unsupportedBy: Directive | undefined
  readOptions(
    directive,
    {
      ttl(option) {
        options.ttl = option.ttl({ name: 'ttl', min: 1, max: 65_535 })
      },
      reload(option) {
        options.reloadMs = option.milliseconds({ name: 'duration' })
      },
      no_reverse() {
        options.reverse = false
      },
      fallthrough(option) {
        options.fallthrough = option.zones([ROOT])
      },
      fallthrough_unsupported(option) {
        unsupportedBy = option
        options.fallthroughUnsupported = true
      },
    },
    entry => readEntry(entry, options),
  )
  if (unsupportedBy && options.fallthrough.length === 0) {
    throw unsupportedBy.error('fallthrough_unsupported needs fallthrough')
  }
  return options
}

/** An entry in the Corefile; these stand before `fallthrough`. */
function readEntry(entry: Directive, { inline, mistakes, fallthrough }: HostsOptions): boolean {
  if (fallthrough.length > 0) return false
  const words = entry.rest().map(({ text }) => text)
  const parsed = parseHosts([entry.name, ...words].join(' '))
  inline.push(...parsed.entries)
  mistakes.push(...parsed.mistakes.map(({ message }) => `${positionText(entry.at)}: ${message}`))
  return true
}
