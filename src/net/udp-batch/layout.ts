/**
 * The constants and structures of Linux's socket calls, for processors with 64-bit pointers and little-endian words (x86-64 and
 * arm64 have the same), and how one block of pinned memory is divided among them. What is done with them is left to others.
 */

export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_DGRAM = 2
export const SOCK_CLOEXEC = 0o2000000

export const SOL_SOCKET = 1
export const SO_RCVBUF = 8
export const SO_REUSEPORT = 15
export const SO_RCVTIMEO = 20
export const SO_MEMINFO = 55
export const IPPROTO_IP = 0
export const IP_PKTINFO = 8
export const IPPROTO_IPV6 = 41
export const IPV6_V6ONLY = 26
export const IPV6_RECVPKTINFO = 49
export const IPV6_PKTINFO = 50

export const SHUT_RD = 0
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40
export const MSG_WAITFORONE = 0x10000
export const POLLIN = 1

/** struct sockaddr_in (16 octets) and sockaddr_in6 (28): offsets. The family is in the machine's order, port and address are not. */
export const Sockaddr = {
  FAMILY: 0,
  PORT: 2,
  ADDRESS_4: 4,
  ADDRESS_6: 8,
  SCOPE: 24,
  OCTETS_4: 16,
  OCTETS_6: 28,
} as const

/** struct mmsghdr: a msghdr and, behind it, how much was received or sent. Offsets; pointers and sizes take 8 octets. */
export const Header = {
  NAME: 0,
  NAME_LENGTH: 8,
  IOVEC: 16,
  IOVEC_COUNT: 24,
  CONTROL: 32,
  CONTROL_LENGTH: 40,
  FLAGS: 48,
  LENGTH: 56,
  OCTETS: 64,
} as const

/** struct iovec. */
export const Iovec = { BASE: 0, LENGTH: 8, OCTETS: 16 } as const

/** struct cmsghdr, then the data: in_pktinfo (12 octets) or in6_pktinfo (20). `SPACE` is what one takes in a control buffer. */
export const Control = {
  LENGTH: 0,
  LEVEL: 8,
  TYPE: 12,
  DATA: 16,
  /** in_pktinfo: the interface, the address to reply from, the address that was asked. */
  INTERFACE_4: 16,
  LOCAL_4: 20,
  LENGTH_4: 28,
  SPACE_4: 32,
  /** in6_pktinfo: the address that was asked, the interface. */
  LOCAL_6: 16,
  INTERFACE_6: 32,
  LENGTH_6: 36,
  SPACE_6: 40,
} as const

/** struct pollfd, in words: the descriptor, then asked for and found events in 16 bits each. */
export const Pollfd = { FD: 0, EVENTS: 1, WORDS: 2 } as const

/** The words of SO_MEMINFO that are read, and their number. */
export const MemoryInfo = { DROPS: 8, WORDS: 9 } as const

/** The most messages of one system call. */
export const BATCH = 64

/** Octets that a message may have: more than any UDP datagram. */
export const SLOT = 65_536

/** From one slot to the next: three cache lines more than a slot, or the beginnings of all would fall into the same cache set. */
export const SLOT_STRIDE = SLOT + 3 * 64

/**
 * A block of pinned memory for BATCH messages: offsets. Message i has name, control buffer and slot i; headers and iovecs are
 * there twice, as the messages that are sent are not always the first of those that were received.
 */
export const Block = {
  RECEIVED: 0,
  SENT: BATCH * Header.OCTETS,
  RECEIVED_IOVECS: 2 * BATCH * Header.OCTETS,
  SENT_IOVECS: 2 * BATCH * Header.OCTETS + BATCH * Iovec.OCTETS,
  NAMES: 2 * BATCH * (Header.OCTETS + Iovec.OCTETS),
  NAME_STRIDE: 32,
  CONTROLS: 2 * BATCH * (Header.OCTETS + Iovec.OCTETS) + BATCH * 32,
  CONTROL_STRIDE: 64,
  SLOTS: 16_384,
  OCTETS: 16_384 + BATCH * SLOT_STRIDE,
} as const
