/** Keeps one copy of what many objects repeat: strings (namespaces, port names, zones, nodes), and small values such as DNS settings. */

const capacity = 100_000
const strings = new Map<string, string>()
const values = new Map<string, object>()

/** The one copy of this text. The table forgets everything when it is full, which costs memory but never a wrong answer. */
export function intern(text: string): string {
  const known = strings.get(text)
  if (known !== undefined) return known
  if (strings.size >= capacity) strings.clear()
  strings.set(text, text)
  return text
}

/** The one copy of this value of JSON, which nobody may change; forgotten as texts are. */
export function internValue<T extends object>(value: T): T {
  const text = JSON.stringify(value)
  const known = values.get(text)
  // What has the same text has the same shape.
  if (known !== undefined) return known as T
  if (values.size >= capacity) values.clear()
  values.set(text, value)
  return value
}
