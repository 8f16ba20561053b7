import fc from 'fast-check'
import t from 'tap'
import { hashOf } from '../../src/table/hash.ts'

/** HalfSipHash as its authors have it, on octets, with any number of rounds. */
function reference(rounds: [number, number], k0: number, k1: number, words: readonly number[], last?: number): number {
  let [v0, v1, v2, v3] = [k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1]
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by))
  const round = () => {
    v0 = (v0 + v1) | 0
    v1 = rotate(v1, 5) ^ v0
    v0 = rotate(v0, 16)
    v2 = (v2 + v3) | 0
    v3 = rotate(v3, 8) ^ v2
    v0 = (v0 + v3) | 0
    v3 = rotate(v3, 7) ^ v0
    v2 = (v2 + v1) | 0
    v1 = rotate(v1, 13) ^ v2
    v2 = rotate(v2, 16)
  }
  for (const word of last === undefined ? words : [...words, last]) {
    v3 ^= word
    for (let i = 0; i < rounds[0]; i++) round()
    v0 ^= word
  }
  v2 ^= 0xff
  for (let i = 0; i < rounds[1]; i++) round()
  return v1 ^ v3
}

t.test('the reference is right by the test vectors of the authors (2-4, 32 bits)', async t => {
  const [k0, k1] = [0x03020100, 0x07060504]
  const inLittleEndian = (value: number) => Buffer.from(Int32Array.of(value).buffer).toString('hex')
  t.equal(inLittleEndian(reference([2, 4], k0, k1, [], 0)), 'a9359f5b')
  t.equal(inLittleEndian(reference([2, 4], k0, k1, [], 0x01000000)), '27475ab8')
  t.equal(inLittleEndian(reference([2, 4], k0, k1, [], 0x02000100)), 'fa62a603')
})

t.test('hashes two words and a name, whatever stands around it', async t => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const property = fc.property(
    fc.tuple(int32, int32, int32, int32),
    fc.uint8Array({ minLength: 1, maxLength: 255 }),
    fc.nat(20),
    fc.nat(255),
    ([k0, k1, first, second], name, at, filler) => {
      const around = new Uint8Array(at + name.length + 3).fill(filler)
      around.set(name, at)
      const whole = new Uint8Array((name.length + 3) & ~3)
      whole.set(name)
      const words = new Int32Array(whole.buffer)
      const expected = reference([1, 3], k0, k1, [first, second, ...words])
      return hashOf(k0, k1, first, second, new DataView(around.buffer), at, name.length) === expected
    },
  )
  t.doesNotThrow(() => fc.assert(property))
})
