// Payload i of author P: u64be(i) || sha256(P as text)[:8] || sha256(of the first 16 bytes) repeated.
import { createHash } from 'node:crypto'

export const HEAD_SIZE = 16

export function sha256 (...parts) {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(part)
  }
  return hash.digest()
}

export function payloadOf (author, index, size) {
  const head = Buffer.alloc(HEAD_SIZE)
  head.writeBigUInt64BE(BigInt(index))
  sha256(author).copy(head, 8, 0, 8)
  return fill(head, size)
}

export function isIntact (payload) {
  if (payload.length < HEAD_SIZE) {
    return false
  }
  const head = Buffer.from(payload.subarray(0, HEAD_SIZE))
  return fill(head, payload.length).equals(payload)
}

export function indexOf (payload) {
  return Number(Buffer.from(payload.subarray(0, 8)).readBigUInt64BE())
}

function fill (head, size) {
  const payload = Buffer.alloc(size)
  payload.fill(sha256(head), HEAD_SIZE)
  head.copy(payload)
  return payload
}
