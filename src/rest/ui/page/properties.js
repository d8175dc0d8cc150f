// Configurations as people write them: `key=value`, one to a line, as in Java's properties files.

function toProperties(config) {
  const escape = (text, key) => {
    let out = text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t");
    if (key) out = out.replace(/[ :=#!]/g, "\\$&");
    return key ? out : out.replace(/^ /, "\\ ");
  };
  return Object.entries(config).map(([key, value]) => `${escape(key, true)}=${escape(value ?? "", false)}`).join("\n");
}

const ESCAPES = { n: "\n", r: "\r", t: "\t", f: "\f" };

function unescape(text) {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\(.)/gs, (whole, code, letter) =>
    code ? String.fromCharCode(parseInt(code, 16)) : ESCAPES[letter] ?? letter);
}

/** Lines that end with an odd number of backslashes go on in the next one. */
function logicalLines(text) {
  const lines = [];
  let open = null;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, "");
    if (open === null && (line === "" || line[0] === "#" || line[0] === "!")) continue;
    const whole = (open ?? "") + line;
    if (/(^|[^\\])(\\\\)*\\$/.test(line)) {
      open = whole.slice(0, -1);
    } else {
      lines.push(whole);
      open = null;
    }
  }
  if (open !== null) lines.push(open);
  return lines;
}

/** Reads properties, or a JSON object, flat or with `name` and `config`. Throws with what is wrong. */
function parseConfig(text) {
  if (text.trimStart().startsWith("{")) {
    const read = JSON.parse(text);
    const config = read.config && typeof read.config === "object" ? { name: read.name, ...read.config } : read;
    for (const [key, value] of Object.entries(config)) {
      if (value !== null && typeof value === "object") throw new Error(`${key} has to be a text, not ${JSON.stringify(value)}`);
      config[key] = value === null || value === undefined ? "" : String(value);
    }
    return config;
  }
  const config = {};
  for (const line of logicalLines(text)) {
    const [, key, value] = /^((?:\\.|[^\\ \t\f=:])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(line);
    config[unescape(key)] = unescape(value);
  }
  return config;
}
