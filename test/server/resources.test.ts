import t from 'tap'
import { ResourcePool } from '../../src/server/resources.ts'

/** Something that notes when it is closed. */
function thing(closed: string[], name: string) {
  return { name, close: () => void closed.push(name) }
}

t.test('one thing for each key, whoever asks first', async t => {
  const closed: string[] = []
  const { share } = new ResourcePool().generation()
  const first = share('a', () => thing(closed, 'first'))
  const again = share('a', () => thing(closed, 'again'))
  t.equal(again, first)
  t.not(
    share('b', () => thing(closed, 'other')),
    first,
  )
})

t.test('closed when the last generation that asked has gone', async t => {
  const closed: string[] = []
  const pool = new ResourcePool()
  const one = pool.generation()
  one.share('kept', () => thing(closed, 'kept'))
  one.share('kept', () => thing(closed, 'never made'))
  one.share('left', () => thing(closed, 'left'))
  const two = pool.generation()
  t.equal(two.share('kept', () => thing(closed, 'never made')).name, 'kept')
  await one.release()
  t.strictSame(closed, ['left'])
  await one.release()
  t.strictSame(closed, ['left'], 'a second release says nothing new')
  await two.release()
  t.strictSame(closed, ['left', 'kept'])
  t.equal(pool.generation().share('kept', () => thing(closed, 'new')).name, 'new')
})

t.test('release waits for things to close, and tells of failures', async t => {
  const pool = new ResourcePool()
  const one = pool.generation()
  const { promise, resolve } = Promise.withResolvers<void>()
  let released = false
  one.share('slow', () => ({ close: () => promise }))
  const releasing = one.release().then(() => (released = true))
  await new Promise(setImmediate)
  t.equal(released, false)
  resolve()
  await releasing
  const two = pool.generation()
  two.share('bad', () => ({ close: () => Promise.reject(new Error('stuck')) }))
  await t.rejects(two.release(), { message: 'stuck' })
})

t.test('what cannot be made is not kept', async t => {
  const { share, release } = new ResourcePool().generation()
  t.throws(() =>
    share('a', () => {
      throw new Error('no')
    }),
  )
  t.equal(share('a', () => thing([], 'second')).name, 'second')
  await release()
})
