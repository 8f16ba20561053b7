import t from 'tap'
import { udpListener } from '../../src/server/udp.ts'
import { echo, idOf, listenerContract, question, recordingLog } from '../contract/listener.ts'
import { testClock } from '../helpers/clock.ts'
import { connect } from '../helpers/udp-client.ts'

t.test('contract', t => listenerContract(t, { make: udpListener, connect }))

t.test('replies that cannot be sent are logged together, once a minute', async t => {
  const { log, lines } = recordingLog()
  const clock = testClock()
  const listener = udpListener({ address: '127.0.0.1', port: 0, clock, log })
  await listener.listen((packet, peer) => (packet[0] === 1 ? Buffer.alloc(70_000) : echo(packet, peer)))
  const client = await connect(listener.port)
  t.teardown(async () => {
    client.close()
    await listener.close(0)
  })
  const failTimes = async (times: number) => {
    for (let i = 0; i < times; i++) client.send(question(0x100))
    client.send(question(2))
    t.equal(idOf(await client.receive()), 2)
  }
  await failTimes(3)
  t.match(lines, [/^\[WARNING\] udp: 1 reply could not be sent, the last: send EMSGSIZE 127\.0\.0\.1/])
  clock.advance(60_000)
  await failTimes(1)
  t.match(lines, [/./, /^\[WARNING\] udp: 3 replies could not be sent/])
})
