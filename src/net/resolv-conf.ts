/**
 * resolv.conf(5), read as CoreDNS and the kubelet read it: word by word, indented lines too, without limits. What a C library makes of such
 * a file is another matter (`client/resolver/resolver-config.ts`).
 */

/** One line that says something. */
export interface ResolvConfLine {
  /** Counts from 1. */
  readonly number: number
  readonly keyword: string
  /** What stands behind the keyword. */
  readonly values: readonly string[]
}

/** A file of this kind as lists. */
export interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  /** Each `name` or `name:value`. */
  readonly options: readonly string[]
}

/** The lines of a file, without comments and empty ones. */
export function resolvConfLines(text: string): ResolvConfLine[] {
  return text.split('\n').flatMap((line, i) => {
    const [keyword, ...values] = line.split(/\s+/).filter(word => word !== '')
    return keyword === undefined || /^[#;]/.test(keyword) ? [] : [{ number: i + 1, keyword, values }]
  })
}

/** Nameservers and options add up; of several search lists (`domain` is one of one name) the last counts. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  const options: string[] = []
  let search: readonly string[] = []
  for (const { keyword, values } of resolvConfLines(text)) {
    if (keyword === 'nameserver') nameservers.push(...values.slice(0, 1))
    else if (keyword === 'search') search = values
    else if (keyword === 'domain') search = values.slice(0, 1)
    else if (keyword === 'options') options.push(...values)
  }
  return { nameservers, search, options }
}

/** The file, as container runtimes write it. */
export function resolvConfText({ nameservers, search, options }: ResolvConf): string {
  const lines = [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...nameservers.map(server => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ]
  return lines.map(line => `${line}\n`).join('')
}
