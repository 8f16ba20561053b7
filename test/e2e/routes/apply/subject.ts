/** `portolan routes apply -watch` as a process of its own, with tools in its path that fail when the test says so. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Background, startBackground } from '../../background.ts'
import { run } from '../namespace.ts'
import { nodes, podRanges } from '../plan.ts'
import type { Form } from './expected.ts'

const program = join(import.meta.dirname, '../../../../src/main.ts')

/** Does what the real tool does, unless a file in the folder of the wrappers says otherwise. Both families may be loaded at one time. */
const wrapper = (real: string, folder: string) => `#!/bin/sh
if [ -e ${folder}/fail-one-in ]; then
  exec 9>${folder}/lock; flock 9
  n=$(cat ${folder}/calls 2>/dev/null || echo 0); n=$((n + 1)); echo $n > ${folder}/calls
  exec 9>&-
  if [ $((n % $(cat ${folder}/fail-one-in))) -eq 0 ]; then echo "Error: now and then" >&2; exit 1; fi
fi
if [ -e ${folder}/refuse ]; then
  input=$(mktemp); trap 'rm -f $input' EXIT; cat > $input
  if grep -q -f ${folder}/refuse $input; then echo "Error: it is refused" >&2; exit 1; fi
  ${real} "$@" < $input; exit $?
fi
exec ${real} "$@"
`

const wrapped = ['nft', 'iptables-restore', 'ip6tables-restore']

export interface SubjectOptions {
  readonly form: Form
  readonly kubeconfig: string
  readonly folder: string
  readonly flags: readonly string[]
}

export class Subject implements AsyncDisposable {
  readonly form: Form
  readonly #process: Background
  readonly #tools: string

  constructor({ form, kubeconfig, folder, flags }: SubjectOptions) {
    this.form = form
    this.#tools = join(folder, `tools-${form}`)
    mkdirSync(this.#tools, { recursive: true })
    for (const tool of wrapped) {
      const file = join(this.#tools, tool)
      writeFileSync(file, wrapper(run('which', [tool]).trim(), this.#tools))
      chmodSync(file, 0o755)
    }
    const args = ['routes', 'apply', form, '-node', nodes.own, '-kubeconfig', kubeconfig, '-watch', ...flags]
    this.#process = startBackground(
      process.execPath,
      [program, ...args, '-cluster-cidr', podRanges.join()],
      join(folder, `apply-${form}.log`),
      { env: { PATH: `${this.#tools}:${process.env['PATH']}` } },
    )
  }

  /** What it has written so far. */
  get log(): string {
    return readFileSync(this.#process.log, 'utf8')
  }

  /** Has one call in so many fail; none, where it is 0. */
  failOneIn(calls: number): void {
    this.#say('fail-one-in', calls === 0 ? undefined : `${calls}`)
  }

  /** Has calls fail whose input has what the pattern matches; none, where it is undefined. */
  refuse(pattern: string | undefined): void {
    this.#say('refuse', pattern)
  }

  #say(file: string, text: string | undefined): void {
    const path = join(this.#tools, file)
    if (text !== undefined) writeFileSync(path, `${text}\n`)
    else if (existsSync(path)) rmSync(path)
  }

  /** Ends it as a signal does; the rules stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

/** Runs `portolan routes` to its end, with these words. */
export function portolanRoutes(...words: string[]): string {
  return run(process.execPath, [program, 'routes', ...words])
}
