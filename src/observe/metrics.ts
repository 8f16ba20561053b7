/**
 * Counters, gauges and histograms in Prometheus' sense. Children are plain objects so that counting a query costs an addition;
 * prom-client gathers them and writes the exposition format.
 */
import { Registry } from 'prom-client'

export interface Counter {
  /** Only grows. */
  add(by?: number): void
}

export interface Gauge {
  set(value: number): void
}

export interface Histogram {
  observe(value: number): void
}

/** A metric with labels; one child for each combination of label values. */
export interface Family<Child> {
  /** The child of these values, in the order of the label names; made at first use. Keep it where it is needed often. */
  of(...values: string[]): Child
}

export interface Metrics {
  /** Asking again for a name gives the same family: plugins of two server blocks share it. */
  counter(name: string, help: string, labels: readonly string[]): Family<Counter>
  gauge(name: string, help: string, labels: readonly string[]): Family<Gauge>
  /** `buckets` are upper bounds in rising order, without infinity. */
  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Family<Histogram>
  /** All of it in Prometheus' text format. */
  exposition(): Promise<string>
  readonly contentType: string
  readonly registry: Registry
}

type Value = { value: number; labels: { [name: string]: string | number }; metricName?: string }

export function metrics(): Metrics {
  const registry = new Registry()
  const families = new Map<string, Family<unknown>>()

  function family<Child extends object>(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    labelNames: readonly string[],
    make: () => Child,
    read: (child: Child, labels: { [name: string]: string }) => Value[],
  ): Family<Child> {
    const known = families.get(name)
    if (known) return known as Family<Child>
    const children = new Map<string, { child: Child; labels: { [name: string]: string } }>()
    const made: Family<Child> = {
      of(...values) {
        const key = values.join('\0')
        let entry = children.get(key)
        if (entry === undefined) {
          const labels = Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? '']))
          entry = { child: make(), labels }
          children.set(key, entry)
        }
        return entry.child
      },
    }
    families.set(name, made)
    const get = async () => ({
      name,
      help,
      type,
      aggregator: 'sum',
      values: [...children.values()].flatMap(({ child, labels }) => read(child, labels)),
    })
    // prom-client asks nothing of a metric but its name and get().
    registry.registerMetric({ name, get } as unknown as Parameters<Registry['registerMetric']>[0])
    return made
  }

  return {
    registry,
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
    counter: (name, help, labels) =>
      family(
        'counter',
        name,
        help,
        labels,
        () => ({
          value: 0,
          add(by = 1) {
            this.value += by
          },
        }),
        (child, values) => [{ value: child.value, labels: values }],
      ),
    gauge: (name, help, labels) =>
      family(
        'gauge',
        name,
        help,
        labels,
        () => ({
          value: 0,
          set(value: number) {
            this.value = value
          },
        }),
        (child, values) => [{ value: child.value, labels: values }],
      ),
    histogram: (name, help, labels, buckets) =>
      family(
        'histogram',
        name,
        help,
        labels,
        () => ({
          sum: 0,
          counts: new Float64Array(buckets.length + 1),
          observe(value: number) {
            this.sum += value
            let bucket = 0
            while (bucket < buckets.length && value > buckets[bucket]!) bucket++
            this.counts[bucket]! += 1
          },
        }),
        (child, values) => histogramValues(name, buckets, child, values),
      ),
  }
}

function histogramValues(
  name: string,
  buckets: readonly number[],
  child: { sum: number; counts: Float64Array },
  labels: { [name: string]: string },
): Value[] {
  const values: Value[] = []
  let total = 0
  for (const [i, count] of child.counts.entries()) {
    total += count
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: buckets[i] ?? '+Inf' }, value: total })
  }
  values.push({ metricName: `${name}_sum`, labels, value: child.sum })
  values.push({ metricName: `${name}_count`, labels, value: total })
  return values
}
