import t from 'tap'
import { parseDuration } from '../../src/corefile/duration.ts'
import { durationText } from '../../src/observe/duration-text.ts'

t.test('durations look as Go prints them', async t => {
  const texts = ['0s', '1ns', '1.5µs', '250ms', '1.5s', '30s', '5m0s', '1m30s', '1h0m0s', '25h1m0.5s', '-2s', '-1h0m1s']
  for (const text of texts) t.equal(durationText(parseDuration(text)!), text)
  t.equal(durationText(0.1 + 0.2), '300µs', 'binary fractions leave no trace')
})
