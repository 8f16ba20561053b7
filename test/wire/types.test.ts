import t from 'tap'
import { Class, className, Rcode, rcodeName, Type, typeName, typeNumber } from '../../src/wire/types.ts'

t.test('mnemonics and numbers of types', async t => {
  for (const [name, number] of Object.entries(Type)) {
    t.equal(typeName(number), name)
    t.equal(typeNumber(name), number)
  }
  t.equal(typeName(65_400), 'TYPE65400')
  t.equal(typeNumber('type65400'), 65_400)
  t.equal(typeNumber('Aaaa'), Type.AAAA)
  for (const text of ['', 'B', 'TYPE', 'TYPE65536', 'TYPE-1', 'TYPE1x', 'TYPE000001', 'constructor', 'toString']) {
    t.equal(typeNumber(text), undefined, text)
  }
})

t.test('mnemonics of classes and response codes', async t => {
  for (const [name, number] of Object.entries(Class)) t.equal(className(number), name)
  for (const [name, number] of Object.entries(Rcode)) t.equal(rcodeName(number), name)
  t.equal(className(17), 'CLASS17')
  t.equal(rcodeName(15), 'RCODE15')
})
