/**
 * The numbers of the DNS protocol and their mnemonics: record types, classes, response codes, opcodes and header bits
 * (IANA "Domain Name System Parameters").
 */

/** Record types that the code names. */
export const Type = {
  A: 1, NS: 2, CNAME: 5, SOA: 6, NULL: 10, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AFSDB: 18, RT: 21, SIG: 24, PX: 26, AAAA: 28,
  LOC: 29, SRV: 33, NAPTR: 35, KX: 36, CERT: 37, DNAME: 39, OPT: 41, DS: 43, SSHFP: 44, RRSIG: 46, NSEC: 47, DNSKEY: 48, NSEC3: 50,
  NSEC3PARAM: 51, TLSA: 52, CDS: 59, CDNSKEY: 60, SVCB: 64, HTTPS: 65, SPF: 99, TKEY: 249, TSIG: 250, IXFR: 251, AXFR: 252, ANY: 255,
  URI: 256, CAA: 257,
} as const // biome-ignore format: a table of numbers reads better in rows

const typeNames = new Map<number, string>(Object.entries(Type).map(([name, number]) => [number, name]))

/** `A`, `SRV`, …, or `TYPE65400` (RFC 3597 section 5). */
export function typeName(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`
}

/** The number of a type's mnemonic or `TYPEn`, in any letter case; undefined where there is none. */
export function typeNumber(text: string): number | undefined {
  const upper = text.toUpperCase()
  if (Object.hasOwn(Type, upper)) return Type[upper as keyof typeof Type]
  const generic = /^TYPE(\d{1,5})$/.exec(upper)
  const number = generic ? Number(generic[1]) : Number.NaN
  return number <= 0xffff ? number : undefined
}

export const Class = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const

const classNames = new Map<number, string>(Object.entries(Class).map(([name, number]) => [number, name]))

/** `IN`, `CH`, …, or `CLASS17` (RFC 3597 section 5). */
export function className(number: number): string {
  return classNames.get(number) ?? `CLASS${number}`
}

/** Response codes; those above 15 need an OPT record (RFC 6891 section 6.1.3). */
export const Rcode = {
  NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6, YXRRSET: 7, NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10,
  BADVERS: 16, BADKEY: 17, BADTIME: 18, BADMODE: 19, BADNAME: 20, BADALG: 21, BADTRUNC: 22, BADCOOKIE: 23,
} as const // biome-ignore format: a table of numbers reads better in rows

const rcodeNames = new Map<number, string>(Object.entries(Rcode).map(([name, number]) => [number, name]))

export function rcodeName(rcode: number): string {
  return rcodeNames.get(rcode) ?? `RCODE${rcode}`
}

export const Opcode = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const

/** Bits of the header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3). */
export const Bit = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  Z: 0x0040,
  AD: 0x0020,
  CD: 0x0010,
} as const

/** The DO bit in an OPT record's flags (RFC 6891 section 6.1.4). */
export const DO = 0x8000

/** Octets of a message's header. */
export const HEADER = 12
