// js-libp2p 3 is written for Node 22; on Node 20 this is the one thing that it misses.
Promise.withResolvers ??= function withResolvers () {
  const deferred = {}
  deferred.promise = new Promise((resolve, reject) => { Object.assign(deferred, { resolve, reject }) })
  return deferred
}
