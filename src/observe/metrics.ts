/**
 * Counters, gauges and histograms in Prometheus' sense. Children are plain objects so that counting a query costs an addition;
 * prom-client gathers them and writes the exposition format.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'

export interface Counter {
  /** Only grows. */
  add(by?: number): void
}

export interface Gauge {
  set(value: number): void
}

export interface Histogram {
  observe(value: number): void
  /** Adds what was observed elsewhere: `counts` by bucket, the last one without bound, and the sum of the values. */
  merge(counts: ArrayLike<number>, sum: number): void
}

/** A metric that is always 1 and says something by its labels (`coredns_build_info`). */
export interface Info {
  /** Has the combination of label values exported until the returned function is called; each holder counts. */
  hold(...values: string[]): () => void
}

/** A metric with labels; one child for each combination of label values. */
export interface Family<Child> {
  /** The child of these values, in the order of the label names; made at first use. Keep it where it is needed often. */
  of(...values: string[]): Child
  /** The child of these values is no longer exported, and a new one is made if it is asked for again. */
  drop(...values: string[]): void
}

export interface Metrics {
  /** Asking again for a name gives the same family: plugins of two server blocks share it. */
  counter(name: string, help: string, labels: readonly string[]): Family<Counter>
  gauge(name: string, help: string, labels: readonly string[]): Family<Gauge>
  /** `buckets` are upper bounds in rising order, without infinity. */
  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Family<Histogram>
  info(name: string, help: string, labels: readonly string[]): Info
  /** Adds what prom-client knows of the process (`process_…`, `nodejs_…`). Has no effect the second time. */
  addProcess(): void
  /** Has `gather` called before each exposition, for counts that are kept elsewhere; until the returned function is called. */
  gathers(gather: () => void): () => void
  /** All of it in Prometheus' text format. */
  exposition(): Promise<string>
  readonly contentType: string
}

/** The buckets of a histogram that begin with `first`, each twice the one before. */
export function doubles(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * 2 ** i)
}

type Labels = { readonly [name: string]: string }
type Value = { value: number; labels: { readonly [name: string]: string | number }; metricName?: string }
type Registered = Parameters<Registry['registerMetric']>[0]

export function metrics(): Metrics {
  const registry = new Registry()
  const known = new Map<string, unknown>()
  const gatherers = new Set<() => void>()
  let processAdded = false

  /** What was made for the name before, or what `make` makes, exported from now on. */
  function once<T>(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    make: () => { made: T; values: () => Value[] },
  ): T {
    if (!known.has(name)) {
      const { made, values } = make()
      known.set(name, made)
      const get = async () => ({ name, help, type, aggregator: 'sum', values: values() })
      // prom-client asks nothing of a metric but its name and get().
      registry.registerMetric({ name, get } as unknown as Registered)
    }
    return known.get(name) as T
  }

  function family<Child>(labelNames: readonly string[], make: () => Child, read: (child: Child, l: Labels) => Value[]) {
    const children = new Map<string, { child: Child; labels: Labels }>()
    const made: Family<Child> = {
      of(...values) {
        const key = values.join('\0')
        let entry = children.get(key)
        if (entry === undefined) {
          entry = { child: make(), labels: labelled(labelNames, values) }
          children.set(key, entry)
        }
        return entry.child
      },
      drop: (...values) => void children.delete(values.join('\0')),
    }
    return { made, values: () => [...children.values()].flatMap(({ child, labels }) => read(child, labels)) }
  }

  function held(labelNames: readonly string[]) {
    const holders = new Map<string, { labels: Labels; count: number }>()
    const made: Info = {
      hold(...values) {
        const key = values.join('\0')
        const entry = holders.get(key) ?? { labels: labelled(labelNames, values), count: 0 }
        holders.set(key, entry)
        entry.count++
        let holding = true
        return () => {
          if (holding && --entry.count === 0) holders.delete(key)
          holding = false
        }
      },
    }
    return { made, values: () => [...holders.values()].map(({ labels }) => ({ value: 1, labels })) }
  }

  return {
    contentType: registry.contentType,
    exposition() {
      for (const gather of gatherers) gather()
      return registry.metrics()
    },
    gathers(gather) {
      gatherers.add(gather)
      return () => void gatherers.delete(gather)
    },
    counter: (name, help, labels) => once('counter', name, help, () => family(labels, counter, numberValue)),
    gauge: (name, help, labels) => once('gauge', name, help, () => family(labels, gauge, numberValue)),
    histogram: (name, help, labels, buckets) =>
      once('histogram', name, help, () =>
        family(
          labels,
          () => histogram(buckets),
          (child, values) => histogramValues(name, buckets, child, values),
        ),
      ),
    info: (name, help, labels) => once('gauge', name, help, () => held(labels)),
    addProcess() {
      if (!processAdded) collectDefaultMetrics({ register: registry })
      processAdded = true
    },
  }
}

function labelled(names: readonly string[], values: readonly string[]): Labels {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
}

function counter() {
  return {
    value: 0,
    add(by = 1) {
      this.value += by
    },
  }
}

function gauge() {
  return {
    value: 0,
    set(value: number) {
      this.value = value
    },
  }
}

function numberValue({ value }: { value: number }, labels: Labels): Value[] {
  return [{ value, labels }]
}

function histogram(buckets: readonly number[]) {
  return {
    sum: 0,
    counts: new Float64Array(buckets.length + 1),
    observe(value: number) {
      this.sum += value
      let bucket = 0
      while (bucket < buckets.length && value > buckets[bucket]!) bucket++
      this.counts[bucket]! += 1
    },
    merge(counts: ArrayLike<number>, sum: number) {
      this.sum += sum
      for (let bucket = 0; bucket < this.counts.length; bucket++) this.counts[bucket]! += counts[bucket]!
    },
  }
}

function histogramValues(
  name: string,
  buckets: readonly number[],
  child: { sum: number; counts: Float64Array },
  labels: Labels,
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
