/**
 * Return a function that asks for `draw` to run soon: in an animation frame, and at most once in
 * `everyMs`, however often it is asked. Nothing runs once the signal is aborted. `spreadMs` is the
 * most by which it is put off at random, so that a notice does not make all pages ask at once.
 */
export function gathered(draw, { everyMs = 400, spreadMs = 0, signal } = {}) {
  let last = -Infinity;
  let waiting = false;
  const run = () => {
    waiting = false;
    if (signal?.aborted) return;
    last = performance.now();
    draw();
  };
  return () => {
    if (waiting || signal?.aborted) return;
    waiting = true;
    const wait = Math.max(spreadMs * Math.random(), last + everyMs - performance.now());
    setTimeout(() => requestAnimationFrame(run), wait);
  };
}

/** Call `f` every so often while the page is seen, until the signal is aborted. */
export function every(ms, f, { signal }) {
  const timer = setInterval(() => {
    if (!document.hidden) f();
  }, ms);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** Return a promise that resolves after some time, or rejects once the signal is aborted. */
export function pause(ms, { signal } = {}) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const SLICE_MS = 8;

/** Let the browser do what waits: a key that was pressed, a frame; rejects once the signal is aborted. */
export async function breath({ signal } = {}) {
  await (globalThis.scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve)));
  signal?.throwIfAborted();
}

/** Let the browser show what was drawn, so that it need not lay out all at once. */
export async function frame({ signal }) {
  // A page that is not seen has no frames.
  if (!document.hidden) await new Promise((resolve) => requestAnimationFrame(resolve));
  await breath({ signal });
}

/**
 * Return a function to await between the steps of a long work: it lets the browser do what waits
 * whenever 8 ms are spent, so that no page stands still. It rejects once the signal is aborted,
 * which ends the work.
 */
export function sliced({ signal }) {
  let began = performance.now();
  return async () => {
    signal.throwIfAborted();
    if (performance.now() - began < SLICE_MS) return;
    await breath({ signal });
    began = performance.now();
  };
}

/** Return what `f` makes of each of many, made in slices; `step` is as from `sliced`. */
export async function eachSliced(many, f, step) {
  const made = [];
  for (const one of many) {
    made.push(f(one));
    await step();
  }
  return made;
}
