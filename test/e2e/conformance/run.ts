/**
 * Asks portolan and the real CoreDNS the same questions about the same real API server, variant by variant, and reports each
 * difference that the README's table does not name. Run by `npm run test:conformance`; `--help` tells the options.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '../../../src/errors.ts'
import { exitOnSignals, freePort } from '../background.ts'
import { type ControlPlane, startControlPlane } from '../control-plane.ts'
import { findPeers } from '../peers.ts'
import { fillCluster } from './cluster.ts'
import { allowedDifferences } from './differences.ts'
import { checkLiveChanges } from './live-change.ts'
import { type Outcome, runVariant } from './round.ts'
import { compareWalks } from './search-walks.ts'
import { type Program, programs } from './servers.ts'
import { type Access, corefileVariant, variants } from './variants.ts'

/** What `--variant` calls the comparison from the addresses of pods. */
const walks = 'autopath'

const usage = `usage: npm run test:conformance -- [options]
  --variant NAME   only this variant (may be given more than once): ${variants.map(({ name }) => name).join(' ')} ${walks}
  --corefile FILE  compare with this Corefile; PORT, KUBECONFIG and UPSTREAM in it are replaced
  --show N         how many differences to print per variant (default 10)
  --sample N       ask every Nth question only
  --b PROGRAM      what CoreDNS is compared with: portolan (default) or coredns, which has to show no difference
  --keep           leave the control plane running at the end
`

/** Of each variant. */
const leastQuestions = 5000

const { values: flags } = parseArgs({
  options: {
    variant: { type: 'string', multiple: true },
    corefile: { type: 'string' },
    show: { type: 'string', default: '10' },
    sample: { type: 'string', default: '1' },
    b: { type: 'string', default: 'portolan' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

exitOnSignals()
// What a comparison that failed left open must not keep it from ending.
process.exit(flags.help ? help() : await compareAll())

function help(): number {
  say(usage)
  return 0
}

async function compareAll(): Promise<number> {
  const other = programs.find(program => program === flags.b)
  const chosen =
    flags.corefile === undefined
      ? variants.filter(({ name }) => flags.variant === undefined || flags.variant.includes(name))
      : [corefileVariant(await readFile(flags.corefile, 'utf8'))]
  const comparesWalks = flags.corefile === undefined && (flags.variant === undefined || flags.variant.includes(walks))
  if (other === undefined || (chosen.length === 0 && !comparesWalks)) {
    say(usage)
    return 2
  }
  const peers = await findPeers(['coredns', 'etcd', 'apiserver'], say)
  if (typeof peers === 'string') {
    say(`no comparison: ${peers}`)
    say('0 passed, 0 failed, 1 skipped')
    return 0
  }
  await using plane = await startControlPlane(peers)
  await fillCluster(plane.client)
  if (flags.keep) {
    const remove = plane.keep()
    say(`the control plane stays: KUBECONFIG=${plane.kubeconfig}; remove it with: ${remove}`)
  }
  const site = { coredns: peers.coredns, access: await accessTo(plane), folder: plane.folder }
  const totals = { passed: 0, failed: 0, asked: 0 }
  const met = new Set<string>()
  const count = (passed: boolean): void => {
    if (passed) totals.passed++
    else totals.failed++
  }
  for (const variant of chosen) {
    try {
      const outcome = await runVariant(variant, other, site, Number(flags.sample))
      report(variant.name, outcome)
      totals.asked += outcome.asked
      for (const id of outcome.allowed.keys()) met.add(id)
      const few = flags.sample === '1' && outcome.asked < leastQuestions
      if (few) say(`  fewer than ${leastQuestions} questions`)
      count(outcome.differ.length === 0 && !few)
    } catch (error) {
      say(`${variant.name.padEnd(20)} failed: ${messageOf(error)}`)
      count(false)
    }
  }
  if (flags.corefile === undefined && (flags.variant === undefined || flags.variant.includes('kubeadm'))) {
    count(await live(other))
  }
  if (comparesWalks) count(await searchWalks(other))
  if (flags.corefile === undefined && flags.variant === undefined && flags.sample === '1' && other === 'portolan') {
    // A row of the README that no question meets claims what nobody has seen.
    const unseen = allowedDifferences.filter(({ id, fleeting }) => !fleeting && !met.has(id))
    for (const { id } of unseen) say(`the difference "${id}" was never met`)
    count(unseen.length === 0)
  }
  say(`${totals.asked} questions asked of both servers`)
  say(`${totals.passed} passed, ${totals.failed} failed`)
  return totals.failed === 0 ? 0 : 1

  async function live(program: Program): Promise<boolean> {
    const problems = await checkLiveChanges(program, site, plane.client).catch(error => [messageOf(error)])
    say(`${'live changes'.padEnd(20)} ${problems.length === 0 ? 'followed within 2 s' : 'failed'}`)
    for (const problem of problems) say(`  ${problem}`)
    return problems.length === 0
  }

  async function searchWalks(program: Program): Promise<boolean> {
    const begin = performance.now()
    const outcome = await compareWalks(program, site, plane.client).catch(messageOf)
    if (typeof outcome === 'string') {
      say(`${walks.padEnd(20)} failed: ${outcome}`)
      return false
    }
    const { asked, same, meant, problems } = outcome
    const permitted = [...meant.values()].reduce((sum, n) => sum + n, 0)
    const seconds = (performance.now() - begin) / 1000
    say(
      `${walks.padEnd(20)} asked ${asked} same ${same} meant ${permitted} problems ${problems.length} (${seconds.toFixed(1)} s)`,
    )
    for (const [what, n] of meant) say(`  meant ${n} ${what}`)
    for (const problem of problems.slice(0, Number(flags.show))) say(`  ${problem}`)
    totals.asked += asked
    return problems.length === 0
  }
}

/** Ways to the API server for all options that say where it is. */
async function accessTo({ authority, folder, kubeconfig, port }: ControlPlane): Promise<Access> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8'))
  const context: string = config['current-context']
  const nowhere = { name: 'nowhere', cluster: { server: `https://127.0.0.1:${await freePort()}` } }
  config.clusters.push(nowhere)
  config.contexts.push({ name: 'nowhere', context: { cluster: 'nowhere', user: context } })
  config['current-context'] = 'nowhere'
  const contexts = join(folder, 'contexts.kubeconfig')
  await writeFile(contexts, JSON.stringify(config))
  const { cert, key } = await authority.forUser('conformance')
  return { kubeconfig, contexts, context, url: `https://127.0.0.1:${port}`, tls: [cert, key, authority.cert] }
}

function report(name: string, { asked, same, allowed, differ, repeats, seconds }: Outcome): void {
  const permitted = [...allowed.values()].reduce((sum, n) => sum + n, 0)
  say(
    `${name.padEnd(20)} asked ${asked} same ${same} allowed ${permitted} differ ${differ.length} (${seconds.toFixed(1)} s)`,
  )
  if (repeats[0] !== repeats[1]) say(`  asked again for want of a reply: A ${repeats[0]} B ${repeats[1]}`)
  for (const [id, n] of allowed) say(`  allowed ${n} ${id}`)
  for (const [group, own] of Map.groupBy(differ, ({ question }) => question.group))
    say(`  differ ${own.length} ${group}`)
  for (const { question, differences } of differ.slice(0, Number(flags.show))) {
    say(`  ${question.title}`)
    for (const { kind, detail } of differences) say(`      ${kind}: ${detail.slice(0, 600)}`)
  }
}
