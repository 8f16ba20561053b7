/** Tables of questions and short texts of what is answered, for a server of `cluster.local`. */
import { decode, type Answer as PacketRecord } from 'dns-packet'
import type { Test } from 'tap'
import type { ClusterState } from '../../src/cluster/state.ts'
import { rcodeName } from '../../src/wire/types.ts'
import { type AskOptions, questionPacket, recordText, type Served, type ServeOptions, serve } from '../helpers/serve.ts'

/** What is served beside the cluster. */
export interface Asked extends Omit<ServeOptions, 'cluster'> {
  /** Options of the `kubernetes` plugin, one a line. */
  readonly options?: string
  /** Zones of the server block. */
  readonly zones?: string
  /** Zones of the plugin, where they are not those of the block. */
  readonly origins?: string
  /** Further plugins of the block. */
  readonly others?: string
}

/** Serves a cluster as a Corefile's only server block, bound so that no address of the machine shows. */
export function serveCluster(t: Test, cluster: ClusterState, asked: Asked = {}): Promise<Served> {
  const { options = '', zones = 'cluster.local in-addr.arpa ip6.arpa', origins = '', others = '', ...rest } = asked
  return serve(t, `${zones} {\nbind 127.0.0.1\nkubernetes ${origins} {\n${options}\n}\n${others}\n}\n`, {
    ...rest,
    cluster,
  })
}

/** `NAME TYPE` and what is answered, as `answered` has it. */
export type Rows = readonly (readonly [question: string, answer: string])[]

/** Asks each question of `rows` and compares. */
export async function check(t: Test, served: Served, rows: Rows, options: AskOptions = {}): Promise<void> {
  for (const [question, expected] of rows) {
    const reply = await answered(served, question, options)
    t.equal(reply, expected, `${question} → ${expected}`)
  }
}

/**
 * The records of a reply in short. The question's name is completed with `cluster.local.` where it does not end in a dot; in the
 * reply that suffix, the class IN, a TTL of 5 and owners of answers that are the question's name are left out. Answers are joined
 * by commas, additional records follow `+`. A negative reply is its response code or NODATA; it is said where SOA or AA are missing, or
 * where an answer has authority records.
 */
export async function answered(served: Served, question: string, options: AskOptions = {}): Promise<string> {
  const [name, type] = question.split(' ')
  const full = name!.endsWith('.') ? name! : `${name}.cluster.local.`
  const response = await served.exchange(questionPacket(`${full} ${type}`, options), options)
  if (response === undefined) return 'silence'
  const { answers, authorities, additionals, flag_aa, flag_tc } = decode(response)
  const short = (records: readonly PacketRecord[], asked = '') =>
    records.map(record => shortText(record, asked)).join(', ')
  const extra = additionals!.filter(record => record.type !== 'OPT')
  const rcode = response.readUInt16BE(2) & 15
  const negative = rcode === 0 ? 'NODATA' : rcodeName(rcode)
  const hasSoa = authorities!.some(({ type }) => type === 'SOA')
  const isNegative = answers!.length === 0
  return [
    isNegative ? negative : short(answers!, full),
    ...(extra.length > 0 ? [`+ ${short(extra)}`] : []),
    ...(!isNegative && authorities!.length > 0 ? [`(authority ${short(authorities!)})`] : []),
    ...(isNegative && !hasSoa ? ['(no SOA)'] : []),
    ...(flag_aa ? [] : ['(no AA)']),
    ...(flag_tc ? ['(truncated)'] : []),
  ].join(' ')
}

function shortText(record: PacketRecord, asked: string): string {
  const [owner, ttl, , type, ...data] = recordText(record).split(' ')
  const shortName = (name: string) => name.replace(/\.cluster\.local\.$/, '')
  return [
    ...(owner === asked ? [] : [shortName(owner!)]),
    ...(ttl === '5' ? [] : [ttl]),
    type,
    ...data.map(shortName),
  ].join(' ')
}
