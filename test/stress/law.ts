/** The law of the answer table for as long as one likes: `npm run stress:law -- --seed 7 --seconds 600`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { VARIANTS } from '../law/corefiles.ts'
import { obeyed } from '../law/law.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    seconds: { type: 'string', default: '60' },
  },
})
const seconds = Number(values.seconds)
const directory = mkdtempSync(join(tmpdir(), 'portolan-law-'))
const deadline = performance.now() + seconds * 1000
const goesOn = () => performance.now() < deadline
let requests = 0
let answered = 0
let difference: string | undefined
for (let seed = Number(values.seed); goesOn() && difference === undefined; seed++) {
  const found = await obeyed({ seed, from: seed % VARIANTS, variants: VARIANTS, requests: 300, directory, goesOn })
  requests += found.requests
  answered += found.answered
  difference = found.difference
  process.stdout.write(`seed ${seed}: ${requests} requests, ${answered} answered from the table\n`)
}
rmSync(directory, { recursive: true })
if (difference !== undefined) {
  process.stdout.write(`${difference}\n`)
  process.exitCode = 1
}
