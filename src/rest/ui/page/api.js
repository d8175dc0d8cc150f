// Asking the worker.

class RestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Sends a request and reads its JSON; null for answers without a body. Gives up after 95 s, the worker after 90. */
async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(95_000) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw new RestError(0, error.name === "TimeoutError" ? "The worker did not answer in time." : "The worker can't be reached.");
  }
  const text = await answer.text();
  let read = null;
  try {
    read = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new RestError(answer.status, "The answer is not JSON.");
  }
  if (!answer.ok) throw new RestError(answer.status, read?.message ?? `HTTP ${answer.status}`);
  return read;
}

const get = (path) => call("GET", path);

/** The path of a connector's resource. */
function pathOf(name, ...parts) {
  return ["/connectors", encodeURIComponent(name), ...parts].join("/");
}

/** Does something and says how it went; true if it went well. */
async function attempt(what, work) {
  try {
    await work();
    note(what);
    return true;
  } catch (error) {
    note(`${what}: ${error.message}`, true);
    return false;
  }
}

/** What is measured of a connector; null where the worker has no such resource. */
async function metricsOf(name) {
  try {
    return await get(pathOf(name, "metrics"));
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
