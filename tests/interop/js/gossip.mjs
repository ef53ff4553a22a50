// What the peer does with topics: count what arrives, publish when enough peers listen.
import { setImmediate, setTimeout } from 'node:timers/promises'
import { cpuSeconds, seconds } from './meters.mjs'
import { indexOf, isIntact, payloadOf, sha256 } from './payload.mjs'

const POLL_MS = 20

export class Inbox {
  received = 0
  bytes = 0
  corrupt = 0
  first = null
  last = null
  enough = Promise.withResolvers()

  constructor (flags, emit) {
    this.flags = flags
    this.emit = emit
  }

  take ({ propagationSource, msgId, msg }) {
    this.first ??= meter()
    const intact = isIntact(msg.data)
    this.received += 1
    this.bytes += msg.data.length
    this.corrupt += intact ? 0 : 1
    if (!this.flags.quiet) {
      this.emit('message', {
        topic: msg.topic,
        id: msgId,
        from: msg.type === 'signed' ? msg.from.toString() : null,
        via: propagationSource.toString(),
        seqno: msg.type === 'signed' ? msg.sequenceNumber.toString() : null,
        signed: msg.type === 'signed',
        size: msg.data.length,
        sha256: sha256(msg.data).toString('hex'),
        index: intact ? indexOf(msg.data) : null,
        intact
      })
    }
    // Reading the clock of the CPU costs more than a small message.
    if (this.received >= this.flags.expect) {
      this.last = meter()
      this.enough.resolve()
    }
  }

  async filled () {
    if (this.flags.expect > 0) {
      await this.enough.promise
    }
    if (this.corrupt > 0) {
      throw new Error(`${this.corrupt} payloads are not what was published`)
    }
  }

  stats () {
    const last = this.last ?? this.first
    return {
      received: this.received,
      bytes: this.bytes,
      corrupt: this.corrupt,
      seconds: last == null ? 0 : last.at - this.first.at,
      cpu_s: last == null ? 0 : last.cpu - this.first.cpu
    }
  }
}

export async function waitForListeners (pubsub, flags) {
  const isReached = (peer) => pubsub.streamsOutbound.has(peer.toString())
  const isHeard = (topic) => pubsub.getSubscribers(topic).filter(isReached).length >= flags.minPeers
  while (!flags.topics.every(isHeard)) {
    await setTimeout(POLL_MS)
  }
}

export async function publish (node, flags) {
  const author = node.peerId.toString()
  const start = meter()
  for (let index = 0; index < flags.publish; index += 1) {
    if (flags.rate > 0) {
      await setTimeout(Math.max(0, (start.at + index / flags.rate - seconds()) * 1000))
    }
    const payload = payloadOf(author, index, flags.size)
    for (const topic of flags.topics) {
      await node.services.pubsub.publish(topic, payload)
    }
    await drained(node.services.pubsub)
  }
  const end = meter()
  return { n: flags.publish, seconds: end.at - start.at, cpu_s: end.cpu - start.cpu }
}

// gossipsub of js exerts no back pressure of its own: unbounded, a fast publisher fills the memory.
async function drained (pubsub) {
  await setImmediate()
  for (const { rawStream } of pubsub.streamsOutbound.values()) {
    if (rawStream.writableNeedsDrain) {
      await rawStream.onDrain()
    }
  }
}

function meter () {
  return { at: seconds(), cpu: cpuSeconds() }
}
