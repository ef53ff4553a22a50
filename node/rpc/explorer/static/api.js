const DEADLINE_MS = 15_000;
const RETRIES = 2;

/** Why there is no answer: the node's code and sentence, or status 0 if it gave none. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

/** Tell whether an error only says that the reader has gone to another view. */
export function isAbort(error) {
  return error?.name === "AbortError";
}

/**
 * Return the JSON at a path of this node.
 *
 * A node that asks for patience (429) is asked again, twice at most. Throws ApiError for a refusal
 * or where there is no answer, AbortError once the signal is aborted.
 */
export async function get(path, { signal } = {}) {
  return ask(path, { method: "GET" }, signal);
}

/** Return the JSON that the node answers to a JSON body; errors as in `get`. */
export async function post(path, body, { signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) }, signal);
}

/**
 * Return the JSON at a path, or null where the node has nothing there (404, 410).
 *
 * That it cannot tell yet (503) is an error as in `get`: nothing known is not known to be nothing.
 */
export async function getOrNull(path, options = {}) {
  try {
    return await get(path, options);
  } catch (error) {
    if (error instanceof ApiError && [404, 410].includes(error.status)) return null;
    throw error;
  }
}

async function ask(path, options, signal) {
  for (let tries = 0; ; tries += 1) {
    const answer = await send(path, options, signal);
    if (answer.ok) return answer.json();
    const error = await refusal(answer);
    if (answer.status !== 429 || tries >= RETRIES) throw error;
    await pause(1_000 * Number(answer.headers.get("Retry-After") ?? 1), signal);
  }
}

async function send(path, options, signal) {
  const limits = [AbortSignal.timeout(DEADLINE_MS), ...(signal ? [signal] : [])];
  try {
    return await fetch(path, { ...options, credentials: "omit", signal: AbortSignal.any(limits) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ApiError(0, "unreachable", "The node does not answer at the moment.");
  }
}

async function refusal(answer) {
  try {
    const { code, message } = await answer.json();
    return new ApiError(answer.status, String(code), String(message));
  } catch {
    return new ApiError(answer.status, "unreadable", `The node answered ${answer.status}.`);
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.min(Math.max(ms, 250), 10_000));
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
