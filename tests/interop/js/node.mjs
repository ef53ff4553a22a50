// A js-libp2p node with the stack that both sides share: TCP, Noise, yamux, identify, ping, gossipsub.
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { sha256 } from './payload.mjs'
import { ECHO, PERF, serveEcho, servePerf } from './streams.mjs'

export async function createNode (flags, served) {
  const node = await createLibp2p({
    privateKey: flags.seed == null
      ? await generateKeyPair('Ed25519')
      : await generateKeyPairFromSeed('Ed25519', flags.seed),
    addresses: { listen: flags.listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { pingInterval: flags.keepaliveMs },
    // The defaults, 5 a second and 10 unfinished of one IP, would refuse a test on one machine.
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    services: { identify: identify(), push: identifyPush(), ping: ping(), pubsub: router(flags) },
    start: false
  })
  await node.handle(ECHO, serveEcho)
  await node.handle(PERF, async (stream, connection) => {
    await servePerf(stream, (figures) => { served(connection.remotePeer, figures) })
  })
  return node
}

function router (flags) {
  const create = gossipsub({
    globalSignaturePolicy: flags.policy,
    msgIdFn: MESSAGE_ID[flags.msgid],
    msgIdToStrFn: (id) => Buffer.from(id).toString('hex'),
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    // Every peer of a test has the same address.
    scoreParams: { IPColocationFactorWeight: 0 }
  })
  return (components) => {
    const made = create(components)
    made.protocols = flags.versions.map((version) => `/meshsub/${version}.0`)
    return made
  }
}

const MESSAGE_ID = {
  spec: (message) => {
    const seqno = Buffer.alloc(8)
    seqno.writeBigUInt64BE(message.sequenceNumber)
    return Buffer.concat([message.from.toMultihash().bytes, seqno])
  },
  sha256: (message) => sha256(message.data),
  topic20: (message) => {
    const topic = Buffer.from(message.topic)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(topic.length))
    return sha256(length, topic, message.data).subarray(0, 20)
  }
}
