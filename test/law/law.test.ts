import t from 'tap'
import { newSeed } from '../wire/random.ts'
import { VARIANTS } from './corefiles.ts'
import { obeyed } from './law.ts'

t.test('the answer table changes nothing but who answers', async t => {
  const seed = newSeed(t)
  const found = await obeyed({ seed, from: seed % VARIANTS, variants: 66, requests: 100, directory: t.testdir() })
  t.equal(found.difference, undefined, `seed ${seed}`)
  const share = (part: number, whole: number) => `${part} of ${whole} (${Math.round((100 * part) / whole)} %)`
  t.comment(`answered from the table: ${share(found.answered, found.requests)}`)
  t.comment(`of published names, where nothing hides them: ${share(found.plainAnswered, found.plainRequests)}`)
  t.ok(found.plainAnswered > found.plainRequests * 0.5, 'much is answered from the table')
})
