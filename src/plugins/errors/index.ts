/**
 * `errors`: logs why queries failed, one line each or one line for many that are alike.
 */
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import type { Timer } from '../../observe/clock.ts'
import { durationText } from '../../observe/duration-text.ts'
import { type Logger, logLevels } from '../../observe/logger.ts'
import { then } from '../../plugin/chain.ts'
import { NO_FOOTPRINT } from '../../plugin/footprint.ts'
import type { Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { textFromKey } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { typeName } from '../../wire/types.ts'

export const definition: PluginDefinition = {
  name: 'errors',
  setup(directive, context) {
    const patterns: Pattern[] = []
    if (directive.more) directive.oneOf(['stdout'], { name: 'log file' })
    readOptions(directive, {
      // An error of our own is always logged with its stack.
      stacktrace: () => undefined,
      consolidate: option => patterns.push(pattern(option, context)),
    })
    return errors(patterns, context.log)
  },
}

function errors(patterns: readonly Pattern[], log: Logger): Plugin {
  const note = (query: Query, reply: Reply): Reply => {
    if (reply.error === undefined) return reply
    const { message } = reply.error
    const line = `${reply.answer.rcode} ${textFromKey(query.key)} ${typeName(query.type)}: ${message}`
    const known = patterns.find(each => each.matches(message))
    if (known) known.count(line)
    else log.error(line)
    return reply
  }
  return {
    name: 'errors',
    footprint: NO_FOOTPRINT,
    handle: (query, next) => then(next(query), query, note),
    async stop() {
      for (const each of patterns) each.flush()
    },
  }
}

/** Errors that are counted and reported together. */
interface Pattern {
  matches(message: string): boolean
  /** Takes note of an error whose own line would be `line`. */
  count(line: string): void
  /** Reports what was counted since the last report. */
  flush(): void
}

/** Reads `consolidate DURATION REGEXP [LEVEL] [show_first]`. */
function pattern(option: Directive, { clock, log }: Pick<SetupContext, 'clock' | 'log'>): Pattern {
  const periodMs = option.milliseconds({ name: 'duration' })
  const source = option.peek ?? ''
  const expression = regularExpression(option)
  const level = option.peek === 'show_first' ? 'error' : option.oneOf(logLevels, { name: 'level', default: 'error' })
  const showFirst = option.more && option.oneOf(['show_first']) === 'show_first'

  let errors = 0
  let timer: Timer | undefined
  const flush = () => {
    timer?.cancel()
    timer = undefined
    const count = errors
    errors = 0
    if (count > (showFirst ? 1 : 0)) {
      log[level](`${count} errors like '${source}' occurred in last ${durationText(periodMs)}`)
    }
  }
  return {
    matches: message => expression.test(message),
    count(line) {
      errors++
      timer ??= clock.after(periodMs, flush)
      if (showFirst && errors === 1) log[level](line)
    },
    flush,
  }
}

/** CoreDNS's bound on what is handed to the compiler of regular expressions. */
const MAX_PATTERN = 10_000

/** A regular expression as Go has it: flags may stand in front, as in `(?i)timeout`. */
function regularExpression(option: Directive): RegExp {
  const text = option.text({ name: 'regexp' })
  if (text.length > MAX_PATTERN)
    throw option.error(`the regexp must have at most ${MAX_PATTERN} characters`, option.args[1])
  const [, flags = '', source = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(text)!
  try {
    return new RegExp(source, flags)
  } catch (cause) {
    throw option.error(`not a regular expression: "${text}": ${messageOf(cause)}`, option.args[1], cause)
  }
}
