/** The scenarios of `explain`: small clusters in which one thing is broken, or nothing, and what is to be said of a name in them. */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Test } from 'tap'
import { ClusterState } from '../../src/cluster/state.ts'
import { manifestsSource } from '../../src/sources/manifests/index.ts'
import { kinds } from '../helpers/cluster.ts'

export interface Scenario {
  /** `08-no-such-namespace`. */
  readonly id: string
  readonly folder: string
  /** The pod that asks, `namespace/name`. */
  readonly from: string
  /** What it asks for: a name with a port, or a URL. */
  readonly name: string
  /** 0 reachable, 2 not resolvable, 3 no usable endpoint, 4 denied by policy, 1 for anything else. */
  readonly exit: 0 | 1 | 2 | 3 | 4
  /** A pattern that the reason must match. */
  readonly reason: string
  /** Whose resolver the pod has, where that decides. */
  readonly libc?: 'glibc' | 'musl'
}

const folder = join(import.meta.dirname, 'scenarios')

export const scenarios: readonly Scenario[] = globSync('*/expected.json', { cwd: folder })
  .sort()
  .map(path => ({
    id: dirname(path),
    folder: join(folder, dirname(path)),
    ...JSON.parse(readFileSync(join(folder, path), 'utf8')),
  }))

/** A folder with the manifests of the base and of the scenario, which count more; it vanishes with the test. */
export function manifestsOf(t: Test, scenario: Scenario): string {
  const manifests = mkdtempSync(join(tmpdir(), 'portolan-explain-'))
  t.teardown(() => rmSync(manifests, { recursive: true }))
  const files = globSync(join(scenario.folder, '*.yaml'))
  for (const [index, file] of [join(import.meta.dirname, 'base.yaml'), ...files].entries())
    cpSync(file, join(manifests, `${index}-${basename(file)}`))
  return manifests
}

/** The cluster of a scenario, read as `explain` reads it. */
export async function clusterOf(t: Test, scenario: Scenario): Promise<ClusterState> {
  const state = new ClusterState({ kinds: kinds })
  const source = manifestsSource({ path: manifestsOf(t, scenario), watch: 'never', kinds, detail: true })
  await source.follow(state, new AbortController().signal)
  return state
}
