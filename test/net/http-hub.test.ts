import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { type HttpHandler, httpHub, splitAddress } from '../../src/net/http-hub.ts'

const says =
  (text: string): HttpHandler =>
  (_request, response) =>
    void response.end(text)

/** A loopback address that nothing listens on. */
async function freeAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `127.0.0.1:${port}`
}

async function get(address: string, path: string): Promise<string> {
  const response = await fetch(`http://${address}${path}`)
  return `${response.status} ${(await response.text()).trimEnd()}`
}

t.test('an address is open as long as somebody claims it, and the newest claim answers', async t => {
  const hub = httpHub()
  t.teardown(() => hub.close())
  const address = await freeAddress()
  const first = await hub.claim(address, { '/a': says('first a'), '/b': says('first b') }, 'first')
  const second = await hub.claim(address, { '/a': says('second a') }, 'second')
  t.equal(second.port, first.port)
  t.equal(await get(address, '/a?x=1'), '200 second a')
  t.equal(await get(address, '/b'), '200 first b')
  t.equal(await get(address, '/'), '404 404 page not found')
  await second.release()
  await second.release()
  t.equal(await get(address, '/a'), '200 first a')
  await first.release()
  await t.rejects(get(address, '/a'))
})

t.test('port 0 is a port of its own each time', async t => {
  const hub = httpHub()
  const [one, two] = [await hub.claim('127.0.0.1:0', {}, 'one'), await hub.claim('127.0.0.1:0', {}, 'two')]
  t.not(one.port, two.port)
  await hub.close()
  await t.rejects(get(`127.0.0.1:${one.port}`, '/'))
})

t.test('a handler that fails is a 500, and a strange path harms nobody', async t => {
  const hub = httpHub()
  t.teardown(() => hub.close())
  const fails: HttpHandler = () => Promise.reject(new Error('no metrics'))
  const half: HttpHandler = (_request, response) => {
    response.writeHead(200).write('half')
    throw new Error('no more')
  }
  const { port } = await hub.claim('127.0.0.1:0', { '/fails': fails, '/half': half }, 'test')
  t.equal(await get(`127.0.0.1:${port}`, '/fails'), '500 Error: no metrics')
  await t.rejects(get(`127.0.0.1:${port}`, '/half'))
  t.equal(await get(`127.0.0.1:${port}`, '//'), '404 404 page not found')
  t.equal(await get(`127.0.0.1:${port}`, '/constructor'), '404 404 page not found')
})

t.test('an address that cannot be had is an error that says what to do', async t => {
  const [hub, other] = [httpHub(), httpHub()]
  t.teardown(() => Promise.all([hub.close(), other.close()]))
  const { port } = await other.claim('127.0.0.1:0', {}, 'other')
  const address = `127.0.0.1:${port}`
  await t.rejects(hub.claim(address, {}, 'health'), {
    code: 'PORTOLAN_HTTP_LISTEN',
    message: `health: cannot listen on ${address}: the address is in use: stop the program that holds it`,
  })
  await t.rejects(hub.claim('192.0.2.1:0', {}, 'health'), { message: /^health: cannot listen on 192\.0\.2\.1:0: / })
  await other.close()
  await t.resolves(hub.claim(address, {}, 'health'), 'it can be tried again')
})

t.test('addresses', async t => {
  t.strictSame(splitAddress(':8080'), { host: '', port: 8080 })
  t.strictSame(splitAddress('[::1]:9153'), { host: '::1', port: 9153 })
  t.strictSame(splitAddress('localhost:80'), { host: 'localhost', port: 80 })
})
