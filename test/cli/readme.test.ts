/** What the README shows of commands that need nothing but manifests is what they print. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { manifestsOf, scenarios } from '../explain/scenario.ts'
import { run } from '../helpers/shell.ts'

const root = join(import.meta.dirname, '../..')
process.chdir(root)

/** Others ask a running server, or go on until they are ended: tests of their own run them. */
const blocks = [
  ...readFileSync('README.md', 'utf8').matchAll(
    /^```\n\$ portolan ((?:explain|doctor|routes lookup) .*)\n([\s\S]*?)^```$/gm,
  ),
]

t.test('the README shows commands', async t => {
  t.ok(blocks.length >= 4)
})

for (const [, line = '', output = ''] of blocks) {
  t.test(line, async t => {
    const [command = '', id] = line.split(/\s+# test\/explain\/scenarios\//)
    const scenario = scenarios.find(scenario => scenario.id === id)
    t.equal(scenario?.id, id, 'the scenario is there')
    const manifests = scenario === undefined ? [] : ['-manifests', manifestsOf(t, scenario)]
    const { out } = await run([...command.split(' '), ...manifests])
    t.equal(out, output)
  })
}
