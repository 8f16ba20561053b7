import t from 'tap'
import { metrics } from '../../src/observe/metrics.ts'

const samples = (text: string) => text.split('\n').filter(line => line !== '' && !line.startsWith('#'))

t.test('counters, gauges and histograms in the exposition format', async t => {
  const all = metrics()
  const counter = all.counter('c_total', 'Things.', ['kind'])
  counter.of('a').add()
  counter.of('a').add(2)
  counter.of('b"\n').add()
  all.gauge('g', 'Level.', []).of().set(-1.5)
  const histogram = all.histogram('h_bytes', 'Sizes.', ['to'], [0, 100, 511]).of('x')
  for (const size of [0, 100, 101, 600]) histogram.observe(size)
  const text = await all.exposition()
  t.strictSame(samples(text), [
    'c_total{kind="a"} 3',
    'c_total{kind="b\\"\\n"} 1',
    'g -1.5',
    'h_bytes_bucket{to="x",le="0"} 1',
    'h_bytes_bucket{to="x",le="100"} 2',
    'h_bytes_bucket{to="x",le="511"} 3',
    'h_bytes_bucket{to="x",le="+Inf"} 4',
    'h_bytes_sum{to="x"} 801',
    'h_bytes_count{to="x"} 4',
  ])
  t.match(text, /# HELP c_total Things.\n# TYPE c_total counter\n/)
  t.match(text, /# TYPE g gauge\n/)
  t.match(text, /# TYPE h_bytes histogram\n/)
  t.match(all.contentType, /^text\/plain; version=0\.0\.4/)
})

t.test('asking again for a name gives the same family', async t => {
  const all = metrics()
  all.counter('c_total', 'Things.', []).of().add()
  all.counter('c_total', 'Things.', []).of().add()
  t.strictSame(samples(await all.exposition()), ['c_total 2'])
})

t.test('an info is exported as long as somebody holds it', async t => {
  const all = metrics()
  const info = all.info('i', 'Says.', ['hash'])
  const [first, second] = [info.hold('x'), all.info('i', 'Says.', ['hash']).hold('x')]
  info.hold('y')
  t.strictSame(samples(await all.exposition()), ['i{hash="x"} 1', 'i{hash="y"} 1'])
  first()
  first()
  t.strictSame(samples(await all.exposition()), ['i{hash="x"} 1', 'i{hash="y"} 1'], 'giving back twice counts once')
  second()
  t.strictSame(samples(await all.exposition()), ['i{hash="y"} 1'])
  info.hold('x')
  t.strictSame(samples(await all.exposition()), ['i{hash="y"} 1', 'i{hash="x"} 1'])
})

t.test('metrics of the process', async t => {
  const all = metrics()
  all.addProcess()
  all.addProcess()
  const text = await all.exposition()
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds']) {
    t.match(text, new RegExp(`^${name} \\d`, 'm'))
  }
})
