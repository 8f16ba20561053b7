import t from 'tap'
import { definition } from '../../../src/plugins/cache/index.ts'
import { pluginBench } from '../../helpers/plugin.ts'

const setup = (text: string) => pluginBench(definition, text, { zone: 'example.org' })
const block = (...lines: string[]) => `cache {\n${lines.join('\n')}\n}`

t.test('takes what CoreDNS takes', async t => {
  const accepted = [
    'cache',
    'cache 30',
    'cache example.org 10.0.0.0/8',
    'cache 30 example.org example.net',
    block('success 5000', 'denial 2500'),
    block('success 5000 60', 'denial 2500 60 0'),
    block('success 5000 60 10'),
    block('success 0', 'denial -5'),
    block('success 99999999999'),
    block('prefetch 0'),
    block('prefetch 10 1m'),
    block('prefetch 10 1m 20%'),
    block('serve_stale'),
    block('serve_stale 0'),
    block('serve_stale 1h immediate'),
    block('serve_stale 1h Immediate 30s 30s'),
    block('serve_stale 1h VERIFY'),
    block('serve_stale 1h verify 100ms'),
    block('serve_stale 1h verify 100ms 30s 5m'),
    block('serve_stale', 'serve_stale_policy prefer_positive'),
    block('serve_stale_policy PREFER_POSITIVE', 'serve_stale 1m'),
    block('servfail 0'),
    block('servfail 5m'),
    block('disable success'),
    block('disable success cluster.local', 'disable denial cluster.local 10.0.0.0/8'),
    block('keepttl'),
  ]
  for (const text of accepted) t.doesNotThrow(() => setup(text), text)
})

t.test('refuses what CoreDNS refuses', async t => {
  const refused: [string, string][] = [
    ['cache 0', '2:7: cache: ttl must be above 0, got "0"'],
    ['cache -3', '2:7: cache: ttl must be above 0, got "-3"'],
    [block('serve_stael'), '3:1: cache: unknown option "serve_stael": did you mean "serve_stale"?'],
    [block('success'), '3:1: cache: success needs its capacity'],
    [block('success many'), '3:9: cache: success capacity must be a whole number, got "many"'],
    [block('success 100 0'), '3:13: cache: success ttl must be above 0, got "0"'],
    [block('denial 100 10 -1'), '3:15: cache: denial minimum ttl must not be negative, got "-1"'],
    [block('prefetch'), '3:1: cache: prefetch needs its amount'],
    [block('prefetch -1'), '3:10: cache: prefetch amount must not be negative, got "-1"'],
    [block('prefetch 1 1'), '3:12: cache: prefetch duration must be a duration such as 500ms, 5s or 1h30m, got "1"'],
    [block('prefetch 1 1m 5%'), '3:15: cache: prefetch percentage must be at least 10%, got "5%"'],
    [block('prefetch 1 1m 10'), '3:15: cache: prefetch percentage must be a percentage such as 10%, got "10"'],
    [block('prefetch 1 1m 10% 4'), '3:19: cache: unexpected argument "4" for prefetch'],
    [block('serve_stale -1h'), '3:13: cache: serve_stale duration must not be negative, got "-1h"'],
    [
      block('serve_stale 1h never'),
      '3:16: cache: serve_stale refresh mode must be "immediate" or "verify", got "never"',
    ],
    [block('serve_stale 1h immediate 1500ms'), '3:26: cache: the response ttl must be whole seconds'],
    [
      block('serve_stale 1h verify 0 30s 6m'),
      '3:29: cache: serve_stale failure recheck must be at most 300s, got "6m"',
    ],
    [block('serve_stale_policy prefer_positive'), '3:1: cache: serve_stale_policy needs serve_stale'],
    [
      block('serve_stale', 'serve_stale_policy x'),
      '4:20: cache: serve_stale_policy policy must be "prefer_positive", got "x"',
    ],
    [
      block('serve_stale', 'serve_stale_policy prefer_positive', 'serve_stale_policy prefer_positive'),
      '5:1: cache: serve_stale_policy can be given only once',
    ],
    [block('servfail'), '3:1: cache: servfail needs its duration'],
    [block('servfail 6m'), '3:10: cache: servfail duration must be at most 300s, got "6m"'],
    [block('disable'), '3:1: cache: disable needs an argument'],
    [block('disable both'), '3:9: cache: disable must be "success" or "denial", got "both"'],
    [block('keepttl 3'), '3:9: cache: unexpected argument "3" for keepttl'],
  ]
  for (const [text, message] of refused) {
    t.throws(() => setup(text), { code: 'PORTOLAN_COREFILE_OPTION', message: `Corefile:${message}` }, text)
  }
})
