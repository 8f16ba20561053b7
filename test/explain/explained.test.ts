/** What `portolan explain` says of the scenarios: the exit code, and the reason in its first line. */
import t from 'tap'
import { run } from '../helpers/shell.ts'
import { manifestsOf, scenarios } from './scenario.ts'

for (const scenario of scenarios) {
  const { id, from, name, exit, reason, libc = 'glibc' } = scenario
  t.test(`scenario ${id}`, async t => {
    const { code, out } = await run([
      'explain',
      '-manifests',
      manifestsOf(t, scenario),
      '-from',
      from,
      '-libc',
      libc,
      name,
    ])
    const [verdict = ''] = out.split('\n')
    t.equal(code, exit, verdict)
    t.match(verdict, new RegExp(reason))
  })
}
