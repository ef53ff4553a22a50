// The flags of `hanse p2p peer`, read the same way.
import { parseArgs } from 'node:util'
import { HEAD_SIZE } from './payload.mjs'

const TEXT = { type: 'string' }
const TEXTS = { type: 'string', multiple: true }
const SWITCH = { type: 'boolean', default: false }

const OPTIONS = {
  listen: TEXTS,
  'no-listen': SWITCH,
  dial: TEXTS,
  topic: TEXTS,
  'no-subscribe': SWITCH,
  publish: TEXT,
  size: TEXT,
  rate: TEXT,
  expect: TEXT,
  'min-peers': TEXT,
  settle: TEXT,
  timeout: TEXT,
  linger: TEXT,
  seed: TEXT,
  policy: TEXT,
  msgid: TEXT,
  versions: TEXT,
  pings: TEXT,
  echo: TEXT,
  'perf-up': TEXT,
  'perf-down': TEXT,
  redials: TEXT,
  'keepalive-ms': TEXT, // of js-libp2p only: how often its connection monitor pings
  'serve-only': SWITCH,
  quiet: SWITCH
}

const POLICIES = ['StrictSign', 'StrictNoSign']
const MESSAGE_IDS = ['spec', 'sha256', 'topic20']
const TIMEOUT_S = 60

export function readFlags (words) {
  const { values } = parseArgs({ args: words, options: OPTIONS })
  const flags = {
    listen: values['no-listen'] ? [] : values.listen ?? ['/ip4/127.0.0.1/tcp/0'],
    dial: values.dial ?? [],
    topics: [...new Set(values.topic)],
    subscribe: !values['no-subscribe'],
    publish: number(values, 'publish', 0),
    size: number(values, 'size', 1024),
    rate: number(values, 'rate', 0),
    expect: number(values, 'expect', 0),
    settleMs: number(values, 'settle', 0) * 1000,
    lingerMs: number(values, 'linger', 0) * 1000,
    seed: values.seed == null ? null : Buffer.from(values.seed, 'hex'),
    policy: choice(values, 'policy', POLICIES),
    msgid: choice(values, 'msgid', MESSAGE_IDS),
    versions: (values.versions ?? '1.2,1.1,1.0').split(','),
    pings: number(values, 'pings', 0),
    echo: number(values, 'echo', 0),
    perfUp: number(values, 'perf-up', 0),
    perfDown: number(values, 'perf-down', 0),
    redials: number(values, 'redials', 0),
    keepaliveMs: number(values, 'keepalive-ms', 10_000),
    serveOnly: values['serve-only'],
    quiet: values.quiet
  }
  flags.minPeers = number(values, 'min-peers', flags.publish > 0 ? 1 : 0)
  // Whoever only serves does so until it is told to stop.
  flags.timeoutMs = number(values, 'timeout', flags.serveOnly ? 0 : TIMEOUT_S) * 1000
  if (flags.seed != null && flags.seed.length !== 32) {
    throw new Error('--seed takes 64 hexadecimal digits')
  }
  if (flags.size < HEAD_SIZE) {
    throw new Error(`--size takes at least ${HEAD_SIZE}`)
  }
  if (flags.policy === 'StrictNoSign' && flags.msgid === 'spec') {
    throw new Error('--msgid spec needs the author and the number of a signed message')
  }
  return flags
}

function number (values, name, otherwise) {
  const value = Number(values[name] ?? otherwise)
  if (!(value >= 0)) {
    throw new Error(`--${name} takes a number, not ${values[name]}`)
  }
  return value
}

function choice (values, name, choices) {
  const value = values[name] ?? choices[0]
  if (!choices.includes(value)) {
    throw new Error(`--${name} takes one of ${choices.join(', ')}`)
  }
  return value
}
