/**
 * UDP sockets that are read and written in batches: opened, shared out among threads and closed by the control thread, which owns
 * their descriptors. What passes through them is left to `batch.ts` and `sender.ts`.
 */
import { addressOctets } from '../../wire/address.ts'
import {
  AF_INET,
  AF_INET6,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  MemoryInfo,
  SHUT_RD,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVTIMEO,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
  Sockaddr,
} from './layout.ts'
import { checked, EADDRNOTAVAIL, EAFNOSUPPORT, ENOPROTOOPT, type Libc, SystemError } from './libc.ts'

/** The longest that `Batch.receive` waits, in microseconds. */
const WAIT_US = 200_000

export interface UdpEndpoint {
  /** An IP address, link-local ones with their interface (`fe80::1%eth0`); empty, `::` and `0.0.0.0` all mean every address of both families. */
  readonly address: string
  /** 0 for any free one. */
  readonly port: number
  /** Octets that requests may take while they wait; the system may allow less (net.core.rmem_max), and has a size of its own. */
  readonly receiveBuffer?: number
}

export interface UdpSocket {
  /** Valid until `close`. May be passed to threads; afterwards the number may be any other file's. */
  readonly fd: number
  readonly port: number
  /** Requests from both families arrive, or from IPv6 alone; false where IPv4 is all there is. */
  readonly isIPv6: boolean
  /** Octets that requests may really take while they wait, as the kernel counts: with its own overhead, twice what was asked for. */
  readonly receiveBuffer: number
  /** Opens one more socket on the same address and port: the kernel divides the clients among them. Throws a SystemError. */
  join(): UdpSocket
  /**
   * How many packets the kernel has thrown away because nobody received them in time. Wraps at 2³². Always 0 where the system does
   * not tell (gVisor). Throws a SystemError.
   */
  dropped(): number
  /**
   * Ends waiting on this socket for good: who waits in `Batch.receive` or `Poll.wait` returns at once, and so does who will wait.
   * What arrives can still be received, without waiting, until the socket is closed.
   */
  wake(): void
  /** Only once no thread uses it any more. What was not received is lost. Throws a SystemError where the system says it failed. */
  close(): void
}

/**
 * Binds a UDP socket. Throws a SystemError: EADDRINUSE when anybody has the port, also where he would share it.
 *
 * That is why it is bound without SO_REUSEPORT, which is set only once there is a second socket of ours to let in. From then on a
 * process of the same user could join too, but only one that asks for SO_REUSEPORT without looking first; none of ours does, and at
 * no moment is the port free again.
 */
export function openSocket(libc: Libc, { address, port, receiveBuffer }: UdpEndpoint): UdpSocket {
  const isEvery = address === '' || address === '::' || address === '0.0.0.0'
  try {
    return new BoundSocket(libc, { at: sockaddr(libc, isEvery ? '::' : address, port), isEvery, receiveBuffer }, false)
  } catch (error) {
    const noIPv6 = error instanceof SystemError && (error.errno === EAFNOSUPPORT || error.errno === EADDRNOTAVAIL)
    if (!isEvery || !noIPv6) throw error
    return new BoundSocket(libc, { at: sockaddr(libc, '0.0.0.0', port), isEvery, receiveBuffer }, false)
  }
}

interface Binding {
  readonly at: Uint8Array
  /** An IPv6 socket takes IPv4 too. */
  readonly isEvery: boolean
  readonly receiveBuffer: number | undefined
}

class BoundSocket implements UdpSocket {
  readonly fd: number
  readonly port: number
  readonly isIPv6: boolean
  readonly receiveBuffer: number
  readonly #libc: Libc
  readonly #binding: Binding
  #shared: boolean
  #closed = false

  constructor(libc: Libc, binding: Binding, shared: boolean) {
    const { at, isEvery, receiveBuffer } = binding
    const family = at[Sockaddr.FAMILY]!
    this.#libc = libc
    this.isIPv6 = family === AF_INET6
    this.#shared = shared
    this.fd = checked(libc, 'socket', libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    try {
      if (this.isIPv6) {
        this.#set(IPPROTO_IPV6, IPV6_V6ONLY, isEvery ? 0 : 1)
        // Tells of IPv4 packets too, with the address mapped.
        this.#set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
      } else {
        this.#set(IPPROTO_IP, IP_PKTINFO, 1)
      }
      if (receiveBuffer !== undefined) this.#set(SOL_SOCKET, SO_RCVBUF, receiveBuffer)
      this.#set(SOL_SOCKET, SO_RCVTIMEO, 0, 0, WAIT_US, 0)
      if (shared) this.#set(SOL_SOCKET, SO_REUSEPORT, 1)
      checked(libc, 'bind', libc.bind(this.fd, at, at.length))
      const bound = at.slice()
      checked(libc, 'getsockname', libc.getsockname(this.fd, bound, Int32Array.of(bound.length)))
      this.#binding = { ...binding, at: bound }
      this.port = (bound[Sockaddr.PORT]! << 8) | bound[Sockaddr.PORT + 1]!
      this.receiveBuffer = this.#get(SO_RCVBUF, 1)[0]!
    } catch (error) {
      libc.close(this.fd)
      throw error
    }
  }

  join(): UdpSocket {
    if (!this.#shared) this.#set(SOL_SOCKET, SO_REUSEPORT, 1)
    this.#shared = true
    return new BoundSocket(this.#libc, this.#binding, true)
  }

  dropped(): number {
    try {
      return this.#get(SO_MEMINFO, MemoryInfo.WORDS)[MemoryInfo.DROPS]! >>> 0
    } catch (error) {
      if (error instanceof SystemError && error.errno === ENOPROTOOPT) return 0
      throw error
    }
  }

  wake(): void {
    // That a UDP socket is not connected is said in any case, and no matter.
    this.#libc.shutdown(this.fd, SHUT_RD)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    checked(this.#libc, 'close', this.#libc.close(this.fd))
  }

  #set(level: number, option: number, ...value: number[]): void {
    const result = this.#libc.setsockopt(this.fd, level, option, Int32Array.from(value), value.length * 4)
    checked(this.#libc, 'setsockopt', result, `of option ${level}/${option}`)
  }

  #get(option: number, words: number): Int32Array {
    const value = new Int32Array(words)
    const result = this.#libc.getsockopt(this.fd, SOL_SOCKET, option, value, Int32Array.of(words * 4))
    checked(this.#libc, 'getsockopt', result, `of option ${SOL_SOCKET}/${option}`)
    return value
  }
}

/** An address as the kernel takes it. */
function sockaddr(libc: Libc, text: string, port: number): Uint8Array {
  const [address = '', zone] = text.split('%')
  const octets = addressOctets(address)
  if (octets === undefined) throw new TypeError(`${text} is not an IP address`)
  const isIPv4 = octets.length === 4
  const at = new Uint8Array(isIPv4 ? Sockaddr.OCTETS_4 : Sockaddr.OCTETS_6)
  at[Sockaddr.FAMILY] = isIPv4 ? AF_INET : AF_INET6
  new DataView(at.buffer).setUint16(Sockaddr.PORT, port)
  at.set(octets, isIPv4 ? Sockaddr.ADDRESS_4 : Sockaddr.ADDRESS_6)
  if (zone !== undefined) {
    const index = libc.if_nametoindex(zone)
    if (index === 0) throw new SystemError('if_nametoindex', libc.errno(), zone)
    new DataView(at.buffer).setUint32(Sockaddr.SCOPE, index, true)
  }
  return at
}
