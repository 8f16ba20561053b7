/** The figures as bars: an SVG file that is readable on light and on dark paper, with the fonts that there are. */

import type { ServerName } from './programs.ts'
import type { Report } from './report.ts'

export interface Panel {
  readonly title: string
  readonly unit: string
  readonly digits: number
  readonly bars: readonly Bar[]
}

export interface Bar {
  readonly label: string
  readonly value: number
  /** Whether it is the one that the chart is about. */
  readonly ours: boolean
}

const [width, margin, labelWidth, valueWidth] = [760, 16, 190, 90]
const [titleHeight, barHeight, rowHeight, gap, footHeight] = [30, 16, 23, 14, 26]

/** One panel below the other, each with a scale of its own that begins at zero. */
export function chart(panels: readonly Panel[], foot: string): string {
  const heights = panels.map(({ bars }) => titleHeight + bars.length * rowHeight + gap)
  const height = margin + heights.reduce((sum, each) => sum + each, 0) + footHeight
  const drawn = panels.map((panel, n) =>
    drawPanel(panel, margin + heights.slice(0, n).reduce((sum, each) => sum + each, 0)),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(panels.map(({ title }) => title).join('; '))}</title>
<style>
  text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #333 }
  .paper { fill: #fff }
  .title { font-weight: 600 }
  .foot { font-size: 11px; fill: #666 }
  .bar { fill: #a9b4c0 }
  .ours { fill: #1f6feb }
  @media (prefers-color-scheme: dark) {
    text { fill: #dde3ea }
    .paper { fill: #0d1117 }
    .foot { fill: #98a2ad }
    .bar { fill: #56606b }
    .ours { fill: #4c92ff }
  }
</style>
<rect class="paper" width="${width}" height="${height}" rx="8"/>
${drawn.join('\n')}
<text class="foot" x="${margin}" y="${height - margin / 2 - 3}">${escaped(foot)}</text>
</svg>
`
}

function drawPanel({ title, unit, digits, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value))
  const space = width - 2 * margin - labelWidth - valueWidth
  const rows = bars.map(({ label, value, ours }, n) => {
    const y = top + titleHeight + n * rowHeight
    const length = Math.max(1, (value / most) * space)
    const [left, base] = [margin + labelWidth, y + barHeight - 3]
    return [
      `<text x="${left - 8}" y="${base}" text-anchor="end"${ours ? ' class="title"' : ''}>${escaped(label)}</text>`,
      `<rect class="${ours ? 'ours' : 'bar'}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2"/>`,
      `<text x="${(left + length + 6).toFixed(1)}" y="${base}"${ours ? ' class="title"' : ''}>${value.toFixed(digits)} ${escaped(unit)}</text>`,
    ].join('\n')
  })
  return [`<text class="title" x="${margin}" y="${top + 16}">${escaped(title)}</text>`, ...rows].join('\n')
}

/** The panels that tell most about a run: those of which both portolan and another server were measured. */
export function panelsOf({ clusters, programs }: Report): Panel[] {
  const [largest] = clusters
  if (largest === undefined) return []
  const { results, memory } = largest
  const cpu = (which: string) => valuesOf(which, result => result.speed?.cpuPerQuery)
  const p99 = (which: string) => valuesOf(which, result => result.latency.at(-1)?.p99Ms)
  function valuesOf(which: string, value: (result: (typeof results)[number]) => number | undefined) {
    return results
      .filter(result => result.case === which)
      .flatMap(result => ({ server: result.server, value: value(result) ?? [] }))
      .filter((each): each is { server: ServerName; value: number } => typeof each.value === 'number')
  }
  const labels: Readonly<Partial<Record<ServerName, string>>> = {
    bare: 'bare C answerer',
    minimal: 'bare Node answerer',
    knot: 'Knot DNS',
    nsd: 'NSD',
    coredns: 'CoreDNS',
    'portolan-dgram': 'portolan, Node sockets',
  }
  const panel = (
    title: string,
    unit: string,
    digits: number,
    values: readonly { server: ServerName; value: number }[],
  ): Panel => ({
    title,
    unit,
    digits,
    bars: programs
      .flatMap(({ name }) => values.find(({ server }) => server === name) ?? [])
      .map(({ server, value }) => ({ label: labels[server] ?? server, value, ours: server.startsWith('portolan') })),
  })
  return [
    panel('CPU time per query: A, AAAA, SRV, PTR and search-path misses', 'µs', 2, cpu('mix')),
    panel('CPU time per query: random names that do not exist', 'µs', 2, cpu('nxdomain')),
    panel('CPU time per query: uncached names of an upstream', 'µs', 1, cpu('forward')),
    panel('99 % are answered within, at 20,000 queries/s while 50 endpoints/s change', 'ms', 2, p99('churn')),
    panel(
      'Memory after load',
      'MiB',
      0,
      memory.map(({ server, residentMb }) => ({ server, value: residentMb })),
    ),
  ].filter(({ bars }) => bars.length > 1 && bars.some(({ ours }) => ours))
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
