/** Figures as bars: an SVG file that is readable on light and on dark paper, with the fonts that there are. */

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

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
