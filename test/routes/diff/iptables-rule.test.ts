/** Two spellings of one rule are one meaning. */
import t from 'tap'
import { Rule } from '../../../src/routes/diff/iptables-rule.ts'

const meaning = (text: string) => new Rule(text, true).meaning

t.test('what iptables-save makes of a rule means the same', async t => {
  for (const [written, stored] of [
    ['-p tcp -d 10.0.0.1 -m tcp --dport 80 -j X', '-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j X'],
    ['-d fd00::1 -j X', '-d fd00::1/128 -j X'],
    [
      '-m statistic --mode random --probability 0.3333333333 -j X',
      '-m statistic --mode random --probability 0.33333333349 -j X',
    ],
    ['-j MARK --or-mark 0x4000', '-j MARK --set-xmark 0x4000/0x4000'],
    ['-j MARK --xor-mark 0x4000', '-j MARK --set-xmark 0x4000/0x0'],
    ['-j REJECT', '-j REJECT --reject-with icmp-port-unreachable'],
    ['-j REJECT', '-j REJECT --reject-with icmp6-port-unreachable'],
    [
      '-m recent --name K --rcheck --seconds 60 --reap -j K',
      '-m recent --rcheck --seconds 60 --reap --name K --mask 255.255.255.255 --rsource -j K',
    ],
    ['-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', '-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT'],
    ['! -s 10.0.0.0/8 -j X', '-j X ! -s 10.0.0.0/8'],
    ['-p sctp -m sctp --dport 9 -j X', '-p 132 -m sctp --dport 9 -j X'],
    ['-m nfacct --nfacct-name n -j DROP', '-m nfacct --nfacct-name  n -j DROP'],
  ] as const)
    t.equal(meaning(written), meaning(stored), stored)
})

t.test('what does not', async t => {
  for (const [one, other] of [
    ['-s 10.0.0.0/8 -j X', '! -s 10.0.0.0/8 -j X'],
    ['-j X', '-g X'],
    ['-j REJECT', '-j REJECT --reject-with tcp-reset'],
    ['-m statistic --mode random --probability 0.5 -j X', '-m statistic --mode random --probability 0.50001 -j X'],
    ['-j MASQUERADE', '-j MASQUERADE --random-fully'],
    ['-m set --match-set a dst -j X', '-m set --match-set b dst -j X'],
  ] as const)
    t.not(meaning(one), meaning(other), one)
})

t.test('comments are apart, and may hold anything', async t => {
  const rule = new Rule(String.raw`-m comment --comment "a \"b\" -j DROP ! -s" -d 10.0.0.1 -j X`, true)
  t.match(rule, { comment: 'a "b" -j DROP ! -s', target: 'X', address: '10.0.0.1/32', place: undefined })
  t.equal(rule.meaning, meaning('-d 10.0.0.1 -m comment --comment word -j X'))
  t.equal(new Rule('-m comment --comment "open', true).comment, 'open')
  t.equal(new Rule('', true).meaning, '')
})

t.test('counting is left out where it does not matter', async t => {
  t.equal(new Rule('-m nfacct --nfacct-name n -j DROP', false).meaning, '-j DROP')
})
