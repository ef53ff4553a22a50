// /interop/echo/1.0.0 and /perf/1.0.0: both read to the end of the other side's half.
import { randomBytes } from 'node:crypto'
import { cpuSeconds, seconds } from './meters.mjs'

export const ECHO = '/interop/echo/1.0.0'
export const PERF = '/perf/1.0.0'

const BLOCK = Buffer.alloc(64 * 1024, 0x5a)
const LIMIT_MS = 60_000

// The stream's own iterator waits for ever when data and end arrived before it was asked for.
function readToEnd (stream, take) {
  const { promise, resolve, reject } = Promise.withResolvers()
  stream.addEventListener('message', (event) => {
    try {
      take(event.data)
    } catch (error) {
      reject(error)
    }
  })
  stream.addEventListener('end', () => { resolve() })
  stream.addEventListener('close', (event) => {
    if (event.error == null) {
      resolve()
    } else {
      reject(event.error)
    }
  })
  if (stream.readableEnded) {
    resolve()
  }
  return promise
}

async function write (stream, chunk) {
  if (!stream.send(chunk)) {
    await stream.onDrain({ signal: AbortSignal.timeout(LIMIT_MS) })
  }
}

async function writeMany (stream, size) {
  for (let left = size; left > 0; left -= BLOCK.length) {
    await write(stream, left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)
  }
}

export async function serveEcho (stream) {
  await readToEnd(stream, (chunk) => { stream.send(chunk) })
  await stream.close()
}

export async function echo (connection, size) {
  const stream = await connection.newStream(ECHO)
  const sent = randomBytes(size)
  const received = []
  const ended = readToEnd(stream, (chunk) => { received.push(Buffer.from(chunk.subarray())) })
  await write(stream, sent)
  await stream.close()
  await ended
  const answer = Buffer.concat(received)
  return { bytes: answer.length, same: answer.equals(sent) }
}

export async function servePerf (stream, served) {
  const start = { cpu: cpuSeconds(), at: seconds() }
  const head = []
  let up = 0
  await readToEnd(stream, (chunk) => {
    up += chunk.byteLength
    if (up - chunk.byteLength < 8) {
      head.push(Buffer.from(chunk.subarray()))
    }
  })
  const down = Number(Buffer.concat(head).readBigUInt64BE())
  await writeMany(stream, down)
  await stream.close()
  served({ up: up - 8, down, seconds: seconds() - start.at, cpu_s: cpuSeconds() - start.cpu })
}

export async function perf (connection, up, down) {
  const stream = await connection.newStream(PERF)
  const start = { cpu: cpuSeconds(), at: seconds() }
  let received = 0
  const ended = readToEnd(stream, (chunk) => { received += chunk.byteLength })
  const wanted = Buffer.alloc(8)
  wanted.writeBigUInt64BE(BigInt(down))
  await write(stream, wanted)
  await writeMany(stream, up)
  await stream.close()
  await ended
  if (received !== down) {
    throw new Error(`${received} bytes came back, not ${down}`)
  }
  return { up, down, seconds: seconds() - start.at, cpu_s: cpuSeconds() - start.cpu }
}
