/**
 * `log`: one line for each query and its reply, all of them or those of some names and classes of replies.
 */
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import type { Clock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { CutDraft } from '../../plugin/cut-draft.ts'
import type { Block, Fixture, Plugin, PluginDefinition, Reply } from '../../plugin/plugin.ts'
import { isWithin, type NameKey, ROOT } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { type Format, logFields, logFormat } from './format.ts'
import { classOf, kindOf, type ResponseClass, responseClasses } from './response-class.ts'

export const definition: PluginDefinition = {
  name: 'log',
  repeatable: true,
  setup(directive, { block, clock, log }) {
    const read = readRules(directive)
    const first = rulesOf.get(block)
    if (first) {
      first.push(...read)
      return { name: 'log' } satisfies Fixture
    }
    rulesOf.set(block, read)
    // A query line has no `plugin/log: ` in front.
    return queryLog(read, clock, log.scoped(''))
  },
}

/** The queries below a name whose replies are of certain classes, and how they are written. */
interface Rule {
  readonly zone: NameKey
  readonly format: Format
  readonly classes: ReadonlySet<ResponseClass>
}

/** Several `log` lines of a block are one list of which the first match counts, so the first line's link has the others' rules. */
const rulesOf = new WeakMap<Block, Rule[]>()

/** Reads `log [NAMES...] [FORMAT] { class CLASSES... }`. */
function readRules(directive: Directive): Rule[] {
  const zones: NameKey[] = []
  let format = '{common}'
  for (let left = directive.args.length; left > 0; left--) {
    if (left === 1 && directive.peek?.includes('{')) format = directive.text({ name: 'format' })
    else zones.push(directive.zone({ name: 'name' }))
  }
  const classes = new Set<ResponseClass>()
  readOptions(directive, {
    class(option) {
      do classes.add(option.oneOf(responseClasses))
      while (option.more)
    },
  })
  if (classes.size === 0) classes.add('all')
  const resolved = logFormat(format)
  return (zones.length === 0 ? [ROOT] : zones).map(zone => ({ zone, format: resolved, classes }))
}

function queryLog(rules: readonly Rule[], clock: Clock, log: Logger): Plugin {
  const ruleFor = (key: NameKey) => rules.find(({ zone }) => zone === ROOT || isWithin(key, zone))
  const write = (rule: Rule, query: Query, reply: Reply, start: number): Reply => {
    const { answer } = reply
    if (rule.classes.has('all') || rule.classes.has(classOf(kindOf(query, answer)))) {
      const exchange = { query, answer, seconds: (clock.monotonic() - start) / 1000 }
      log.info(rule.format(exchange), log.structured ? logFields(exchange) : undefined)
    }
    return reply
  }
  return {
    name: 'log',
    footprint: {
      suffixes: () => rules.map(({ zone }) => zone),
      declare: cut => declare(ruleFor(cut.suffix), cut),
    },
    handle(query, next) {
      const rule = ruleFor(query.key)
      if (rule === undefined) return next(query)
      const start = clock.monotonic()
      const reply = next(query)
      return reply instanceof Promise
        ? reply.then(late => write(rule, query, late, start))
        : write(rule, query, reply, start)
    },
  }
}

/** Errors are never published, so to write them is nothing to tell of. */
function declare(rule: Rule | undefined, cut: CutDraft): void {
  if (rule?.classes.has('all')) cut.intercept()
  if (rule?.classes.has('success')) cut.see('positives')
  if (rule?.classes.has('denial')) cut.see('negatives')
}
