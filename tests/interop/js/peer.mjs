// An interop peer: the flags and the events of `hanse p2p peer`, on js-libp2p.
import './polyfill.mjs'
import { setTimeout } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { readFlags } from './flags.mjs'
import { Inbox, publish, waitForListeners } from './gossip.mjs'
import { cpuSeconds, seconds } from './meters.mjs'
import { createNode } from './node.mjs'
import { echo, perf } from './streams.mjs'

const flags = readFlags(process.argv.slice(2))
const inbox = new Inbox(flags, emit)
const node = await createNode(flags, (peer, figures) => { emit('perf-served', { peer, ...figures }) })
const pubsub = node.services.pubsub
const identified = new Map()
const stopped = Promise.withResolvers()

function emit (event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')
}

function watch () {
  node.addEventListener('connection:open', ({ detail: connection }) => {
    emit('connected', {
      peer: connection.remotePeer,
      direction: connection.direction,
      security: connection.encryption,
      muxer: connection.multiplexer
    })
  })
  node.addEventListener('connection:close', ({ detail: connection }) => {
    emit('disconnected', { peer: connection.remotePeer, direction: connection.direction })
  })
  node.addEventListener('peer:identify', ({ detail }) => {
    emit('identify', {
      peer: detail.peerId,
      agent: detail.agentVersion ?? null,
      protocol: detail.protocolVersion ?? null,
      protocols: detail.protocols,
      addrs: detail.listenAddrs,
      observed: detail.observedAddr ?? null,
      record: detail.signedPeerRecord != null
    })
    arrivalOf(detail.peerId.toString()).resolve(detail.connection)
    arrivalOf('anybody').resolve(detail.connection)
  })
  pubsub.addEventListener('subscription-change', ({ detail }) => {
    for (const { topic, subscribe } of detail.subscriptions) {
      emit('subscription', { peer: detail.peerId, topic, subscribed: subscribe })
    }
  })
  pubsub.addEventListener('gossipsub:message', ({ detail }) => { inbox.take(detail) })
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => { stopped.resolve() })
  }
}

function arrivalOf (peer) {
  if (!identified.has(peer)) {
    identified.set(peer, Promise.withResolvers())
  }
  return identified.get(peer)
}

async function dial (address) {
  const connection = await connect(address)
  const peer = connection.remotePeer
  await arrivalOf(peer.toString()).promise
  await exercise(connection)
  await redial(address, peer)
}

async function connect (address) {
  try {
    return await node.dial(multiaddr(address))
  } catch (error) {
    emit('dial-error', { addr: address, error: `${error.name}: ${error.message}` })
    throw error
  }
}

async function exercise (connection) {
  const peer = connection.remotePeer
  for (let count = 0; count < flags.pings; count += 1) {
    const start = seconds()
    await node.services.ping.ping(peer)
    emit('ping', { peer, rtt_ms: (seconds() - start) * 1000 })
  }
  if (flags.echo > 0) {
    const answer = await echo(connection, flags.echo)
    emit('echo', { peer, ...answer })
    if (!answer.same) {
      throw new Error('the echo differs')
    }
  }
  if (flags.perfUp > 0 || flags.perfDown > 0) {
    emit('perf', { peer, ...await perf(connection, flags.perfUp, flags.perfDown) })
  }
}

// Each round is a connection that is ready for streams, and its end.
async function redial (address, peer) {
  if (flags.redials === 0) {
    return
  }
  await node.hangUp(peer)
  const start = { at: seconds(), cpu: cpuSeconds() }
  for (let count = 0; count < flags.redials; count += 1) {
    await node.dial(multiaddr(address))
    await node.hangUp(peer)
  }
  emit('redials', {
    peer,
    n: flags.redials,
    seconds: seconds() - start.at,
    cpu_s: cpuSeconds() - start.cpu
  })
}

async function gossip () {
  await waitForListeners(pubsub, flags)
  await setTimeout(flags.settleMs)
  if (flags.publish > 0) {
    emit('published', await publish(node, flags))
  }
}

function goals () {
  const goals = flags.dial.map((address) => [`dial ${address}`, dial(address)])
  const isExerciser = flags.pings + flags.echo + flags.perfUp + flags.perfDown > 0
  if (flags.dial.length === 0 && isExerciser) {
    goals.push(['exercise', arrivalOf('anybody').promise.then(exercise)])
  }
  goals.push(['publish', gossip()], ['expect', inbox.filled()])
  return goals
}

async function reach (goals) {
  const open = new Map(goals.map(([name]) => [name, `${name}: not in time`]))
  const reached = Promise.all(goals.map(async ([name, goal]) => {
    try {
      await goal
      open.delete(name)
    } catch (error) {
      open.set(name, `${name}: ${error.message}`)
    }
  }))
  const limit = new AbortController()
  const ends = [reached, stopped.promise]
  if (flags.timeoutMs > 0) {
    ends.push(setTimeout(flags.timeoutMs, null, limit))
  }
  await Promise.race(ends)
  limit.abort()
  return [...open.values()]
}

async function serve () {
  const ends = [stopped.promise]
  if (flags.timeoutMs > 0) {
    ends.push(setTimeout(flags.timeoutMs))
  }
  await Promise.race(ends)
  return []
}

watch()
await node.start()
emit('listening', { peer: node.peerId, addrs: node.getMultiaddrs() })
if (flags.subscribe) {
  flags.topics.forEach((topic) => { pubsub.subscribe(topic) })
}
const fails = flags.serveOnly ? await serve() : await reach(goals())
emit('stats', inbox.stats())
if (fails.length === 0 && flags.lingerMs > 0) {
  await Promise.race([setTimeout(flags.lingerMs), stopped.promise])
  emit('stats', inbox.stats())
}
await node.stop()
emit('done', { ok: fails.length === 0, fails })
process.exitCode = fails.length === 0 ? 0 : 1
// What is left of the timers must not hold the process.
process.stdout.write('', () => { process.exit() })
