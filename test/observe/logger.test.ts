import t from 'tap'
import { type LoggerOptions, logger } from '../../src/observe/logger.ts'

function written(format: LoggerOptions['format'], debug = false) {
  const lines: string[] = []
  const log = logger({ format, debug, write: line => lines.push(line), now: () => Date.UTC(2026, 8, 15, 8) })
  return { log, lines }
}

t.test('plain lines are those of CoreDNS', async t => {
  const { log, lines } = written('text')
  log.info('started')
  log.scoped('plugin/errors').error('2 a.test. A: timeout', { ignored: true })
  log.scoped('plugin/loop').scoped('').warning('no scope')
  t.strictSame(lines, ['[INFO] started\n', '[ERROR] plugin/errors: 2 a.test. A: timeout\n', '[WARNING] no scope\n'])
  t.equal(log.structured, false)
})

t.test('JSON lines have level, time, message, plugin and fields', async t => {
  const { log, lines } = written('json')
  log.scoped('plugin/cache').warning('full', { entries: 3 })
  log.scoped('server').error('no port')
  log.info('started')
  const time = '2026-09-15T08:00:00.000Z'
  t.strictSame(
    lines.map(line => JSON.parse(line)),
    [
      { level: 'WARN', time, plugin: 'cache', entries: 3, msg: 'full' },
      { level: 'ERROR', time, scope: 'server', msg: 'no port' },
      { level: 'INFO', time, msg: 'started' },
    ],
  )
  t.equal(log.structured, true)
})

t.test('debug lines are written as long as somebody wants them', async t => {
  const { log, lines } = written('text')
  const scope = log.scoped('plugin/forward')
  scope.debug('unheard')
  const first = log.turnUp()
  const second = scope.turnUp()
  t.equal(scope.debugging, true)
  scope.debug('heard')
  first()
  first()
  t.equal(log.debugging, true, 'giving back twice counts once')
  second()
  t.equal(scope.debugging, false)
  scope.debug('unheard again')
  t.strictSame(lines, ['[DEBUG] plugin/forward: heard\n'])
})

t.test('debug lines can be on from the start', async t => {
  const { log, lines } = written('json', true)
  log.debug('all of it')
  t.match(lines[0], /"level":"DEBUG".*"msg":"all of it"/)
})
