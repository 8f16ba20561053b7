/** Which portolan a test starts: what was built, or the sources. */
import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const built = join(root, 'dist/portolan.js')
export const sources = join(root, 'src/main.ts')

/** Whether there is a `dist/`, and whether it is as new as the sources. */
export function stateOfBuilt(): 'fresh' | 'stale' | 'missing' {
  if (!existsSync(built)) return 'missing'
  const newest = Math.max(...globSync(join(root, 'src/**/*.ts')).map(file => statSync(file).mtimeMs))
  return newest > statSync(built).mtimeMs ? 'stale' : 'fresh'
}
