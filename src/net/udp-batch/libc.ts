/**
 * The calls of the C library that batched UDP needs, through koffi, and whether this process may make them. The only place that
 * loads koffi, and only when asked: a machine without its binary starts as well. What the calls are for is left to others.
 */
import { constants, endianness } from 'node:os'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import { messageOf } from '../../errors.ts'

export const { EINTR, EBADF, EAGAIN, EINVAL, EMSGSIZE, EADDRNOTAVAIL, EAFNOSUPPORT, ENOBUFS, ENOPROTOOPT } =
  constants.errno

/**
 * The system calls as C has them: -1 is a failure, and `errno` then says which, if it is the next thing that is called. Addresses
 * of memory are bigints; a `Uint8Array` or `Int32Array` stands for the memory it views, for the time of the call.
 */
export interface Libc {
  readonly recvmmsg: (fd: number, headers: bigint, count: number, flags: number, timeout: null) => number
  readonly sendmmsg: (fd: number, headers: bigint, count: number, flags: number) => number
  readonly poll: (fds: Int32Array, count: number, timeoutMs: number) => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly getsockname: (fd: number, address: Uint8Array, length: Int32Array) => number
  readonly setsockopt: (fd: number, level: number, option: number, value: Int32Array, length: number) => number
  readonly getsockopt: (fd: number, level: number, option: number, value: Int32Array, length: Int32Array) => number
  readonly shutdown: (fd: number, how: number) => number
  readonly close: (fd: number) => number
  /** The number of a network interface; 0 where there is none of that name. */
  readonly if_nametoindex: (name: string) => number
  readonly mmap: (at: null, length: number, protection: number, flags: number, fd: number, offset: number) => bigint
  readonly madvise: (address: bigint, length: number, advice: number) => number
  readonly munmap: (address: bigint, length: number) => number
  readonly errno: () => number
  /** The memory at an address, for as long as it is mapped. */
  readonly view: (address: bigint, length: number) => ArrayBuffer
}

export type BatchSupport =
  | { readonly ok: true; readonly libc: Libc }
  /** Why not: a clause for one line of the log. */
  | { readonly ok: false; readonly reason: string }

/** Numbers of recvmmsg and sendmmsg, by processor. */
const SYSTEM_CALLS: Readonly<Record<string, readonly [receive: number, send: number]>> = {
  x64: [299, 307],
  arm64: [243, 269],
}

/**
 * Whether this thread can receive and send in batches, and if so with what. Never rejects. Each thread asks for itself: the
 * functions cannot be passed between threads.
 */
export async function batchSupport(): Promise<BatchSupport> {
  const obstacle = obstacleOf(process.platform, process.arch)
  if (obstacle !== undefined) return { ok: false, reason: obstacle }
  try {
    const libc = bindings(await import('koffi'))
    const refusal = refusalOf(libc)
    return refusal === undefined ? { ok: true, libc } : { ok: false, reason: refusal }
  } catch (error) {
    return { ok: false, reason: `koffi cannot be loaded: ${messageOf(error).split('\n')[0]}` }
  }
}

function obstacleOf(platform: string, arch: string): string | undefined {
  if (platform !== 'linux' || SYSTEM_CALLS[arch] === undefined || endianness() !== 'LE') {
    return `it needs Linux on x64 or arm64, and this is ${platform} on ${arch}`
  }
  // Undefined while Node's permission model is off, whatever its types say.
  const permission: NodeJS.Process['permission'] | undefined = process.permission
  if (permission && !(permission.has('addon') && permission.has('worker'))) {
    return "Node's permission model is on without --allow-addons and --allow-worker"
  }
  // V8 has no WebAssembly then. Interpreted, an answer costs four times as much as through Node's own sockets.
  if (!('WebAssembly' in globalThis)) return 'JavaScript is not compiled here (--jitless)'
  return undefined
}

/** What the system has against the two calls: a sandbox may not know them, a filter may forbid them. */
function refusalOf({ recvmmsg, sendmmsg, errno }: Libc): string | undefined {
  for (const call of [() => recvmmsg(-1, 0n, 0, 0, null), () => sendmmsg(-1, 0n, 0, 0)]) {
    const found = call() < 0 ? errno() : 0
    if (found !== EBADF) return `the system does not let it use recvmmsg and sendmmsg (${errnoName(found)})`
  }
  return undefined
}

function bindings(koffi: typeof import('koffi')): Libc {
  // What the process is linked to anyway: a name such as libc.so.6 is not the same everywhere.
  const library = koffi.load(null)
  return {
    ...batchCalls(library, isGlibc(library)),
    poll: library.func('int poll(void *, ulong, int)'),
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, void *, uint)'),
    getsockname: library.func('int getsockname(int, void *, void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, uint)'),
    getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
    shutdown: library.func('int shutdown(int, int)'),
    close: library.func('int close(int)'),
    if_nametoindex: library.func('uint if_nametoindex(const char *)'),
    mmap: library.func('void *mmap(void *, size_t, int, int, int, long)'),
    madvise: library.func('int madvise(void *, size_t, int)'),
    munmap: library.func('int munmap(void *, size_t)'),
    errno: koffi.errno,
    view: koffi.view,
  }
}

/** glibc's own functions, or the system calls themselves: musl's functions make one call for each message. */
export function batchCalls(
  library: import('koffi').LibraryHandle,
  isGlibc: boolean,
): Pick<Libc, 'recvmmsg' | 'sendmmsg'> {
  if (isGlibc) {
    return {
      recvmmsg: library.func('int recvmmsg(int, void *, uint, int, void *)'),
      sendmmsg: library.func('int sendmmsg(int, void *, uint, int)'),
    }
  }
  const [receive, send] = SYSTEM_CALLS[process.arch]!
  const syscall = library.func('long syscall(long, long, void *, ulong, long, void *)')
  return {
    recvmmsg: (fd, headers, count, flags, timeout) => syscall(receive, fd, headers, count, flags, timeout),
    sendmmsg: (fd, headers, count, flags) => syscall(send, fd, headers, count, flags, null),
  }
}

function isGlibc(library: import('koffi').LibraryHandle): boolean {
  try {
    library.func('const char *gnu_get_libc_version()')
    return true
  } catch {
    return false
  }
}

/** `EADDRINUSE` and the like, of a positive number. */
export function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : 'no error'
}

/** A system call that failed. `code` is the errno's name, as in errors of Node's own. */
export class SystemError extends Error {
  override readonly name = 'SystemError'
  readonly code: string
  readonly errno: number
  readonly syscall: string

  /** `detail`: what it was called for, such as an address. */
  constructor(syscall: string, errno: number, detail = '') {
    super(`${syscall} ${errnoName(errno)}${detail && ` ${detail}`}: ${getSystemErrorMessage(-errno)}`)
    this.code = errnoName(errno)
    this.errno = errno
    this.syscall = syscall
  }
}

/** The result of a call, if it is not a failure. */
export function checked(libc: Libc, syscall: string, result: number, detail?: string): number {
  if (result < 0) throw new SystemError(syscall, libc.errno(), detail)
  return result
}
