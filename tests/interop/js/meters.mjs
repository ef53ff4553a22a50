// Clocks: seconds of the wall, and CPU seconds of every thread of this process.
export const seconds = () => performance.now() / 1000

export function cpuSeconds () {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
