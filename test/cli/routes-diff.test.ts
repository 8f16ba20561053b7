/** `portolan routes diff` with saved rules: what it prints, its exit codes, and how it tells what it was given. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { run } from '../helpers/shell.ts'
import { manifests, saved } from '../routes/diff/saved.ts'

const folder = new URL('../fixtures/routes/', import.meta.url).pathname
const flags = ['-manifests', manifests, '-node', 'worker-1', '-cluster-cidr', '10.244.0.0/16,fd00:244::/48']

const diff = (words: string, stdin = '') => run(['routes', 'diff', ...words.split(' '), ...flags], { stdin })

t.test('equal', async t => {
  t.strictSame(await diff(`-rules ${folder}iptables-save.txt,${folder}ip6tables-save.txt`), {
    code: 0,
    err: '',
    out: 'equal: iptables, 103 rules for IPv4 as kube-proxy has them, 44 rules for IPv6 as kube-proxy has them\n',
  })
  t.match(
    await diff('-rules -', saved.IPv4 + saved.IPv6),
    { code: 0, out: /rules for IPv4 .* rules for IPv6/ },
    'in one',
  )
  t.match(await diff(`-rules ${folder}portolan-nft.json`), {
    code: 0,
    out: /^equal: nftables, .* as portolan has them/,
  })
  t.match(await diff(`-rules ${folder}kube-proxy-nft.json -family 6`), {
    code: 0,
    out: /^equal: nftables, \d+ rules for IPv6 as kube-proxy has them\n$/,
  })
})

t.test('differences', async t => {
  const damaged = saved.IPv4.replace('0.33333333349', '0.50000000000').replace(/^-A PREROUTING .*\n/m, '')
  const { code, out } = await diff('-rules -', damaged)
  t.equal(code, 1)
  t.match(out, /^KIND +SERVICE +WHERE +WHY\n/)
  t.match(
    out,
    /^wrong +shop\/web:https? +IPv4 nat KUBE-SVC-\w+ +probability 0.5, should be 0.333333\n {2}- .*0.5\d+ .*\n {2}\+ .*0.3333333333/m,
  )
  t.match(out, /^missing +- +IPv4 nat PREROUTING +nothing leads from PREROUTING to KUBE-SERVICES\n {2}\+ -m comment/m)
  t.match(out, /\n2 differences: iptables, 103 rules for IPv4 as kube-proxy has them\n$/)
  const facts = JSON.parse((await diff('-rules - -o json', damaged)).out)
  t.match(facts, { node: 'worker-1', mode: 'iptables', equal: false, compared: [{ family: 'IPv4', rules: 103 }] })
  t.match(facts.differences[0], { kind: 'wrong', family: 'IPv4', table: 'nat', service: /^shop\/web/ })
})

t.test('the README shows what it prints', async t => {
  const [, shown] =
    /^\$ iptables-save \| portolan routes diff .*\n([\s\S]*?)^```$/m.exec(readFileSync('README.md', 'utf8')) ?? []
  t.equal((await diff('-rules -', saved.IPv4.replace('0.33333333349', '0.50000000000'))).out, shown)
})

t.test('rules of another mode', async t => {
  const both = `-rules ${folder}iptables-save.txt,${folder}kube-proxy-nft.json`
  const nftables = await diff(both)
  t.match(nftables, {
    code: 1,
    out: /^other mode +- +IPv4 iptables \(nf_tables\) nat +\d+ chains, of .* take the same connections$/m,
  })
  const iptables = await diff(`iptables ${both} -family 4`)
  t.match(iptables, {
    code: 1,
    out: /^other mode +- +IPv4 nftables ip kube-proxy +\d+ chains, of .* take the same connections$/m,
  })
  const ipvs = saved.IPv4.replace(/^:KUBE-MARK-MASQ/m, ':KUBE-LOAD-BALANCER - [0:0]\n:KUBE-MARK-MASQ')
  t.match(await diff('-rules -', ipvs), { code: 1, out: /^other mode .* 1 chains take the same connections/m })
  const idle = saved.IPv4.replaceAll(/^-A (PREROUTING|INPUT|OUTPUT|FORWARD|POSTROUTING) .*\n/gm, '')
  t.match(await diff(`nftables -rules -,${folder}kube-proxy-nft.json -family 4`, idle), {
    code: 0,
    out: /^2 notes\n[\s\S]*are left over; no packet meets them/m,
  })
  const list = JSON.parse(saved.portolanNft)
  const beside = JSON.stringify({
    nftables: [...list.nftables, ...JSON.parse(readFileSync(`${folder}kube-proxy-nft.json`, 'utf8')).nftables],
  })
  t.match(await diff('-rules - -family 4', beside), { code: 1, out: /^other mode +- +IPv4 nftables ip kube-proxy/m })
})

t.test('trouble is no difference', async t => {
  t.match(await diff('-rules /nonexistent'), { code: 2, err: /cannot read the rules: ENOENT/ })
  t.match(await diff('-rules -', 'hello\n'), { code: 2, err: /neither what iptables-save nor what/ })
  t.match(await diff('-rules -', '{}'), { code: 2, err: /not what `nft -j list ruleset` writes/ })
  t.match(await diff('-rules - -family 6', saved.IPv4), { code: 2, err: /nothing of IPv6 of iptables/ })
  t.match(await diff('cilium -rules -'), { code: 2, err: /which rules\? There are iptables, nftables/ })
  t.match(await run(['routes', 'diff', '-manifests', manifests]), { code: 2, err: /of which node\?/ })
})
