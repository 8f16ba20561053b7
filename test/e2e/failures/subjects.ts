/** What changes during a failure: objects of every kind, each of which turns some answers from one into another by one request. */
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../../src/errors.ts'
import { nothing } from '../answer.ts'
import { type ApiClient, type ApiObject, ApiRefusal } from '../api-client.ts'
import { reverseName } from '../conformance/names.ts'
import type { TypeName } from '../message.ts'
import { externalName, namespace, pod, service, slice } from '../objects.ts'
import { History } from './history.ts'

export const space = 'failures'
const zone = 'cluster.local'
const retryMs = 200
const patienceMs = 90_000
/** A namespace ends when a controller has looked at it. */
const endMs = 30_000

/** A question and its answers in the states of a subject, which come in turn. */
type Facts = readonly (readonly [name: string, type: TypeName, ...answers: readonly string[]])[]

export class Subject {
  readonly histories: readonly History[]
  readonly #facts: Facts
  readonly #write: (state: number) => Promise<void>
  #state = 0
  #busy = false

  /** `write` brings the object into a state, from the one before or from this one already. */
  constructor(facts: Facts, write: (state: number) => Promise<void>) {
    this.#facts = facts
    this.#write = write
    this.histories = facts.map(([name, type, first]) => new History({ name, type }, first!))
  }

  /** Whether a change is under way. */
  get busy(): boolean {
    return this.#busy
  }

  /** Goes on to the next state; resolves when the API server has agreed, however often it has to be asked. */
  async change(): Promise<void> {
    this.#busy = true
    this.#state = (this.#state + 1) % (this.#facts[0]!.length - 2)
    const agreed = this.#facts.map(([, , ...answers], n) => this.histories[n]!.change(answers[this.#state]!))
    await untilTaken(() => this.#write(this.#state))
    for (const each of agreed) each()
    this.#busy = false
  }
}

/** All that there is at the beginning, and how it changes. */
export interface Cast {
  readonly objects: readonly ApiObject[]
  readonly changing: readonly Subject[]
  /** These change only when a scenario says so: one by an update, one by its creation, one by its deletion. */
  readonly victims: readonly Subject[]
  /** These never change. */
  readonly constant: readonly Subject[]
}

export function castOf(client: ApiClient): Cast {
  const made = [
    ...many(12, n => headless(client, n)),
    ...many(12, n => existing(client, service(`${space}/web-${n}`, `10.100.0.${n + 1}`, ['http:80']), n % 2 === 0)),
    ...many(6, n => aliased(client, n)),
    ...many(6, n => running(client, n)),
    ...many(2, n => inhabited(client, n)),
  ]
  const victims = [
    headless(client, 100),
    existing(client, service(`${space}/web-100`, '10.100.0.100', ['http:80']), false),
    existing(client, service(`${space}/web-101`, '10.100.0.101', ['http:80']), true),
  ]
  const constant = many(20, n =>
    existing(client, service(`${space}/same-${n}`, `10.101.0.${n + 1}`, ['http:80']), true),
  )
  const subjects = (parts: readonly Part[]): Subject[] => parts.map(({ subject }) => subject)
  return {
    objects: [namespace(space), ...[...made, ...victims, ...constant].flatMap(({ objects }) => objects)],
    changing: subjects(made),
    victims: subjects(victims),
    constant: subjects(constant),
  }
}

interface Part {
  readonly objects: readonly ApiObject[]
  readonly subject: Subject
}

function many(count: number, part: (n: number) => Part): Part[] {
  return Array.from({ length: count }, (_, n) => part(n))
}

/** A headless service whose only endpoint moves. */
function headless(client: ApiClient, n: number): Part {
  const key = `${space}/peers-${n}`
  const name = `peers-${n}.${space}.svc.${zone}`
  const addresses = [1, 2, 3].map(state => `10.1${state}.0.${n}`)
  const endpoints = addresses.map(address => [{ addresses: [address], conditions: { ready: true } }])
  const own = slice(key, [addresses[0]!], ['http:80'])
  const found = addresses.map(
    (address, state) =>
      [
        reverseName(address),
        'PTR',
        ...addresses.map((_, each) => (each === state ? `${address.replaceAll('.', '-')}.${name}.` : nothing)),
      ] as const,
  )
  return {
    objects: [service(key, 'None', ['http:80']), own],
    subject: new Subject([[name, 'A', ...addresses], ...found], state =>
      client.merge(own, { endpoints: endpoints[state] }),
    ),
  }
}

/** A service that is there, or is not. */
export function existing(client: ApiClient, object: ApiObject, isThere: boolean): Part {
  const name = `${object.metadata.name}.${object.metadata.namespace}.svc.${zone}`
  const [address] = (object['spec'] as { clusterIPs: string[] }).clusterIPs
  const states = (answer: string): string[] => (isThere ? [answer, nothing] : [nothing, answer])
  const facts: Facts = [
    [name, 'A', ...states(address!)],
    [`_http._tcp.${name}`, 'SRV', ...states(`0 100 80 ${name}.`)],
    [reverseName(address!), 'PTR', ...states(`${name}.`)],
  ]
  const write = async (state: number): Promise<void> => {
    if ((state === 0) !== isThere) return client.removeIfThere(object)
    await client.ensure(object).catch(error => freed(client, address!, error))
  }
  return { objects: isThere ? [object] : [], subject: new Subject(facts, write) }
}

/** An API server that is killed between an address and its service leaves the address taken, for minutes if nobody helps. */
async function freed(client: ApiClient, address: string, error: unknown): Promise<never> {
  if (!(error instanceof ApiRefusal && error.message.includes('failed to allocate IP'))) throw error
  await client.removeIfThere({ kind: 'IPAddress', metadata: { name: address } })
  throw new PortolanError('PORTOLAN_E2E_ADDRESS', `${address} was taken`, { cause: error })
}

/** A service that stands for one name after another. */
function aliased(client: ApiClient, n: number): Part {
  const object = externalName(`${space}/alias-${n}`, 'one.up.test')
  const targets = ['one.up.test', 'two.up.test', 'three.up.test']
  const name = `alias-${n}.${space}.svc.${zone}`
  return {
    objects: [object],
    subject: new Subject([[name, 'CNAME', ...targets.map(target => `${target}.`)]], state =>
      client.merge(object, { spec: { externalName: targets[state] } }),
    ),
  }
}

/** A pod that has its address, or has not. */
function running(client: ApiClient, n: number): Part {
  const address = `10.244.200.${n}`
  const object = pod(`${space}/pod-${n}`, [address])
  const name = `${address.replaceAll('.', '-')}.${space}.pod.${zone}`
  const write = async (state: number): Promise<void> => {
    if (state === 0) return client.removeIfThere(object)
    const { status, ...bare } = object
    await client.ensure(bare)
    await client.writeStatus(object)
  }
  return { objects: [], subject: new Subject([[name, 'A', nothing, address]], write) }
}

/** A namespace that exists, or does not. */
function inhabited(client: ApiClient, n: number): Part {
  const object = namespace(`${space}-${n}`)
  const write = async (state: number): Promise<void> => {
    if (state === 1) return client.ensure(object)
    await client.removeIfThere(object)
    const deadline = performance.now() + endMs
    while ((await client.read(object)) !== undefined) {
      if (performance.now() > deadline) throw new PortolanError('PORTOLAN_E2E_CONTROLLER', 'a namespace does not end')
      await sleep(retryMs)
    }
  }
  return { objects: [], subject: new Subject([[`${space}-${n}.svc.${zone}`, 'A', nothing, '']], write) }
}

/** An API server that is away, or not yet ready, is asked again. */
async function untilTaken(write: () => Promise<void>): Promise<void> {
  for (const deadline = performance.now() + patienceMs; ; ) {
    try {
      return await write()
    } catch (error) {
      const refused = error instanceof ApiRefusal && error.status < 500 && error.status !== 429
      if (refused || performance.now() > deadline) throw error
    }
    await sleep(retryMs)
  }
}
