/** `portolan routes apply` and `cleanup`: programs the kernel of this machine as a node's, and takes all of that away. */
import type { Projection } from '../cluster/contract.ts'
import type { Node } from '../cluster/objects.ts'
import { parseDuration } from '../corefile/duration.ts'
import { PortolanError } from '../errors.ts'
import { logger } from '../observe/logger.ts'
import { runCommand } from '../routes/apply/command.ts'
import { IptablesKernel } from '../routes/apply/iptables.ts'
import { type Form, mayApply, toolProblem } from '../routes/apply/leftovers.ts'
import { NftablesKernel } from '../routes/apply/nftables.ts'
import { NodeRules } from '../routes/apply/node.ts'
import { ownership } from '../routes/apply/ownership.ts'
import { nodeOf } from '../routes/facts/cluster.ts'
import { familiesOf, renderOptionsOf } from '../routes/facts/question.ts'
import type { RouteTable } from '../routes/table.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { readCluster } from './routes-cluster.ts'
import { followCluster } from './routes-live.ts'
import type { Shell } from './shell.ts'
import { untilSignal } from './until-signal.ts'

const forms: readonly Form[] = ['iptables', 'nftables']

/** How often a call may fail where nobody waits for the next change. */
const attempts = 5

export async function applyRoutes(given: Arguments, shell: Shell): Promise<number> {
  const form = forms.find(form => form === given.words[1])
  if (form === undefined) throw usageError(`which rules? There are ${forms.join(', ')}`)
  const node = given.text('node')
  if (node === undefined) throw usageError('on which node? give -node NAME')
  const periods = { minSyncMs: periodOf(given, 'min-sync', 100), checkMs: periodOf(given, 'check', 30_000) }
  const families = familiesOf(given)
  await mayApply(form, families, runCommand)
  shell.out(ownership(form, families))
  const log = logger({ format: 'text', write: line => shell.out(line), now: shell.clock.now })
  const common = { form, run: runCommand, clock: shell.clock, log, ...periods }
  return given.has('watch') ? follow(given, shell, common, node) : once(given, shell, common)
}

type Common = Omit<ConstructorParameters<typeof NodeRules>[0], 'family' | 'routes' | 'setting'>

async function once(given: Arguments, shell: Shell, common: Common): Promise<number> {
  const { table, state } = await readCluster(given, shell, false)
  const node = nodeOf(given.text('node'), state)
  const options = settingOf(given, node)
  const all = familiesOf(given).map(
    family => new NodeRules({ ...common, family, routes: table, setting: () => options }),
  )
  // The clock's timers keep no process alive, and a pause before the next attempt has nothing else.
  const alive = setInterval(() => undefined, 2 ** 30)
  try {
    await Promise.all(all.map(rules => rules.once(attempts)))
  } finally {
    clearInterval(alive)
  }
  return all.every(({ refused }) => refused.length === 0) ? Exit.done : Exit.failed
}

function follow(given: Arguments, shell: Shell, common: Common, name: string): Promise<number> {
  const { log } = common
  return untilSignal(shell, log, 'ending once what is under way is loaded', async signal => {
    const { state, table } = await followCluster(given, shell, log, signal)
    let node = nodeOf(name, state)
    const all = familiesOf(given).map(
      family => new NodeRules({ ...common, family, routes: table, setting: () => settingOf(given, node) }),
    )
    state.follow(
      watchful(table, name, now => {
        // A node that is gone has the rules that it had.
        node = now ?? node
        for (const rules of all) rules.poke()
      }),
    )
    await Promise.all(all.map(rules => rules.follow(signal)))
    log.info('ended; the rules stay, `portolan routes cleanup` removes them')
  })
}

/** Tells of commits that change the routes or the node, with the node as it is then. Follows the state behind the table. */
function watchful(table: RouteTable, name: string, changed: (node: Node | undefined) => void): Projection {
  let { revision } = table
  return {
    rebuild: () => undefined,
    update(view, { nodes }) {
      if (table.revision === revision && !nodes.has(name)) return
      revision = table.revision
      changed(view.get('Node', name))
    },
  }
}

function settingOf(given: Arguments, node: Node | undefined) {
  return { ...renderOptionsOf(given, node), liberal: given.has('conntrack-tcp-be-liberal') }
}

export async function cleanUpRoutes(given: Arguments, shell: Shell): Promise<number> {
  const [, word] = given.words
  const chosen = word === undefined ? forms : forms.filter(form => form === word)
  if (chosen.length === 0) throw usageError(`which rules? There are ${forms.join(', ')}; without a word all`)
  for (const form of chosen) {
    for (const family of familiesOf(given)) {
      const problem = await toolProblem(form, family, runCommand)
      if (problem?.missing === true && word === undefined) {
        shell.out(`${form} ${family}: ${problem.why}\n`)
        continue
      }
      if (problem !== undefined) throw new PortolanError('PORTOLAN_APPLY_TOOL', problem.why)
      const kernel =
        form === 'iptables' ? new IptablesKernel(family, runCommand) : new NftablesKernel(family, runCommand)
      const removed = await kernel.cleanUp()
      shell.out(`${kernel.name}: ${removed ? 'removed' : 'there was nothing of ours'}\n`)
    }
  }
  return Exit.done
}

/** A period in milliseconds; 0 for none. */
function periodOf(given: Arguments, option: string, otherwiseMs: number): number {
  const text = given.text(option)
  if (text === undefined) return otherwiseMs
  const ms = parseDuration(text)
  if (ms === undefined || ms < 0) throw usageError(`-${option} is a duration like 100ms or 30s, got "${text}"`)
  return ms
}
