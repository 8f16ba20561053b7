/** The ends of public names that somebody may have a namespace or a service of. */

/** Nobody calls a namespace so and means it. */
const unmistakable = 'com net org edu gov mil info biz'
/** These are words and short forms as well (`dev`, `ci`, `qa`). The two-letter ones are those of countries (IANA's root zone). */
const words = 'dev app cloud'
const countries =
  'ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl ' +
  'cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu ' +
  'gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma ' +
  'mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps ' +
  'pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv ' +
  'tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw'

const certain: ReadonlySet<string> = new Set(unmistakable.split(' '))
const ends: ReadonlySet<string> = new Set([...certain, ...words.split(' '), ...countries.split(' ')])

/** Whether names of the outside end like this; `label` is in lower case. */
export function isPublicEnd(label: string): boolean {
  return ends.has(label)
}

/** Whether it is sure to be taken for the end of a public name. */
export function isCertainlyPublic(label: string): boolean {
  return certain.has(label)
}
