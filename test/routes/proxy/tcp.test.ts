/** Connections through the proxy, with real sockets on the loopback address. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, endpoint, host, ipOf, lab, port } from './lab.ts'

t.test('each in turn, to the end in both directions', async t => {
  const { endpoints } = await lab(t)
  for (const number of [1, 2, 3]) await endpoint(t, number)
  await endpoints(1, 2, 3)
  const answers = []
  for (let i = 0; i < 6; i++) answers.push(await ask(port, `hello ${i}`))
  t.same(answers, ['3:hello 0', '2:hello 1', '1:hello 2', '3:hello 3', '2:hello 4', '1:hello 5'])
})

t.test('refusals and resets go unnoticed while one backend accepts', async t => {
  const { endpoints, log } = await lab(t)
  await endpoint(t, 2)
  await endpoint(t, 3, socket => void socket.resetAndDestroy())
  await endpoints(1, 2, 3)
  for (let i = 0; i < 10; i++) t.equal(await ask(port, ''), '2:')
  t.ok(log.some(line => line.includes(`${ipOf(1)}:${port} refused, so `)))
})

t.test('a reset backend that has heard something is not made up for', async t => {
  const { endpoints } = await lab(t)
  await endpoint(t, 1, socket => void socket.once('data', () => socket.resetAndDestroy()))
  await endpoint(t, 2, socket => void socket.once('data', () => socket.resetAndDestroy()))
  await endpoints(1, 2)
  t.equal(await ask(port, 'pay 5 EUR'), 'ECONNRESET')
})

t.test('where nobody accepts the client is reset, and the log says why', async t => {
  const { endpoints, log } = await lab(t)
  t.equal(await ask(port, 'x'), 'ECONNRESET')
  t.match(log.at(-1), /^\[WARNING\] a\/web: [\d.]+:\d+ is turned away: there are no endpoints$/)
  await endpoints(1, 2)
  t.equal(await ask(port, 'x'), 'ECONNRESET')
  t.match(log.at(-1), new RegExp(`is turned away: ${ipOf(2)}:${port} refused, ${ipOf(1)}:${port} refused$`))
})

t.test('a flood of clients that are turned away is none of lines', async t => {
  const { log } = await lab(t)
  await Promise.all(Array.from({ length: 50 }, () => ask(port, '')))
  const lines = log.filter(line => line.includes('turned away')).length
  t.ok(lines >= 10 && lines <= 20, `${lines} lines`)
})

t.test('a backend that does not answer is given up for another', async t => {
  const { endpoints, log } = await lab(t)
  await endpoint(t, 1)
  await deaf(t, 2)
  await endpoints(1, 2)
  const began = performance.now()
  t.equal(await ask(port, 'x'), '1:x')
  const took = performance.now() - began
  t.ok(took > 240 && took < 2000, `${took} ms`)
  t.ok(log.some(line => line.includes(`${ipOf(2)}:${port} did not answer within 250 ms`)))
})

/** Something that listens and never accepts: its process is stopped, and its queue is full. */
async function deaf(t: Test, number: number): Promise<void> {
  const at = ipOf(number)
  const code = `require('net').createServer().listen({ host: '${at}', port: ${port}, backlog: 1 }, () => console.log('on'))`
  const child: ChildProcess = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
  })
  await once(child.stdout!, 'data')
  child.kill('SIGSTOP')
  for (;;) {
    const socket = connect({ host: at, port })
    sockets.push(socket.on('error', () => undefined))
    const connected = once(socket, 'connect').then(() => true)
    if (!(await Promise.race([connected, sleep(100).then(() => false)]))) return
  }
}

t.test('neither side reads faster than the other takes', async t => {
  const { endpoints } = await lab(t)
  let received = 0
  const server = await endpoint(t, 1, socket => socket.pause())
  await endpoints(1)
  const client = connect({ host, port, allowHalfOpen: true })
  t.teardown(() => client.destroy())
  const size = 64 * 2 ** 20
  const chunk = Buffer.alloc(2 ** 20, 'x')
  for (let i = 0; i < size / chunk.length; i++) client.write(chunk)
  client.end()
  await until(() => server.connections.size === 1)
  const before = process.memoryUsage().external
  await sleep(300)
  const waiting = client.writableLength
  t.ok(waiting > size / 2, `${waiting} octets wait at the client`)
  t.ok(process.memoryUsage().external - before < size / 4, 'and not in the proxy')
  const [socket] = server.connections
  socket!.on('data', part => (received += part.length))
  socket!.resume()
  await once(socket!, 'end')
  t.equal(received, size)
  socket!.end('done')
  t.equal(`${(await once(client, 'data'))[0]}`, 'done')
})

async function until(is: () => boolean): Promise<void> {
  while (!is()) await sleep(5)
}

t.test('a reset of either side reaches the other', async t => {
  const { endpoints } = await lab(t)
  const server = await endpoint(t, 1, socket => socket.write('hi'))
  await endpoints(1)
  const open = async () => {
    const client = connect({ host, port })
    await once(client, 'data')
    return { client, served: [...server.connections][0]! }
  }
  const first = await open()
  const failed = once(first.served, 'error')
  first.client.resetAndDestroy()
  const [error] = await failed
  t.equal(error.code, 'ECONNRESET')
  await until(() => server.connections.size === 0)
  const second = await open()
  second.served.resetAndDestroy()
  t.equal(await once(second.client, 'data').catch(error => error.code), 'ECONNRESET')
})

t.test('what a backend has said to its end arrives, though it resets what comes after', async t => {
  const { endpoints } = await lab(t)
  await endpoint(t, 1, socket => {
    socket.end('no more of this')
    socket.once('data', () => socket.once('finish', () => socket.resetAndDestroy()))
  })
  await endpoints(1)
  const client = connect({ host, port, allowHalfOpen: true })
  client.on('error', () => undefined)
  let heard = ''
  client.on('data', data => (heard += data))
  client.write('a')
  await once(client, 'end')
  t.equal(heard, 'no more of this')
  client.destroy()
})

t.test('affinity', async t => {
  const { endpoints, service } = await lab(t, { affinitySeconds: 100 })
  for (const number of [1, 2]) await endpoint(t, number)
  await endpoints(1, 2)
  t.same([await ask(port, ''), await ask(port, ''), await ask(port, '')], ['2:', '2:', '2:'])
  await endpoints(1)
  t.equal(await ask(port, ''), '1:')
  await endpoints(1, 2)
  t.equal(await ask(port, ''), '1:')
  await service({ affinitySeconds: 0 })
  t.same(new Set([await ask(port, ''), await ask(port, '')]), new Set(['1:', '2:']))
})

t.test('connections to an endpoint that was removed go on, and those of a service that is gone', async t => {
  const { endpoints, proxy } = await lab(t)
  await endpoint(t, 1)
  await endpoint(t, 2)
  await endpoints(1)
  const client = connect({ host, port })
  t.equal(`${(await once(client, 'data'))[0]}`, '1:')
  await endpoints(2)
  t.equal(await ask(port, ''), '2:')
  client.write('still here')
  t.equal(`${(await once(client, 'data'))[0]}`, 'still here')
  const closed = proxy.close(10_000)
  t.equal(await ask(port, ''), 'ECONNREFUSED')
  client.write('and here')
  t.equal(`${(await once(client, 'data'))[0]}`, 'and here')
  client.end()
  await closed
})

t.test('when the grace is over what is left is reset', async t => {
  const { endpoints, proxy } = await lab(t)
  await endpoint(t, 1)
  await endpoints(1)
  const client = connect({ host, port })
  await once(client, 'data')
  const error = once(client, 'data').catch(error => error.code)
  await proxy.close(20)
  t.equal(await error, 'ECONNRESET')
})

t.test('and with it a backend that has said all, and still listens', async t => {
  const { endpoints, proxy } = await lab(t)
  const server = await endpoint(t, 1, socket => socket.end('bye').resume())
  await endpoints(1)
  const client = connect({ host, port, allowHalfOpen: true })
  client.on('error', () => undefined).resume()
  await once(client, 'end')
  t.equal(server.connections.size, 1)
  await proxy.close(20)
  await until(() => server.connections.size === 0)
})
