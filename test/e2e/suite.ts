/** What the programs that test against a real control plane have in common: how they begin, how they end, and when they are skipped. */
import { messageOf } from '../../src/errors.ts'
import { exitOnSignals } from './background.ts'
import { findPeers, type PeerName, type Peers } from './peers.ts'
import { Tally } from './tally.ts'

export interface Suite<Name extends PeerName> {
  /** The programs that are needed. */
  readonly peers: readonly Name[]
  /** Why it cannot be run here for another reason; undefined where it can. */
  obstacle?(): Promise<string | undefined>
  run(peers: Peers<Name>, tally: Tally, say: (line: string) => void): Promise<void>
}

/** Runs it and ends the process. The last line says `N passed, N failed`; an error counts as a failure. */
export async function runSuite<Name extends PeerName>(suite: Suite<Name>): Promise<never> {
  exitOnSignals()
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  const tally = new Tally(say)
  const peers = (await suite.obstacle?.()) ?? (await findPeers(suite.peers, say))
  if (typeof peers === 'string') {
    say(`skipped: ${peers}`)
    say('0 passed, 0 failed, 1 skipped')
    process.exit(0)
  }
  await suite.run(peers, tally, say).catch(error => tally.check('the run as a whole', messageOf(error)))
  say(`${tally.passed} passed, ${tally.failed} failed`)
  // What a test that failed left open must not keep the process from ending.
  process.exit(tally.failed === 0 ? 0 : 1)
}
