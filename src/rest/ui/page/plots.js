// Small plots, drawn as SVG.

const WIDTH = 480;

/** Records per second over the last minutes. `points` are [milliseconds, value]. */
function rateLine(points) {
  if (points.length < 2) return el("p", { class: "soft" }, "A plot appears after two readings.");
  const [left, right, top, bottom] = [8, 8, 18, 20];
  const height = 150;
  const [from, to] = [points[0][0], points[points.length - 1][0]];
  const most = Math.max(...points.map(([, value]) => value), 1);
  const x = (at) => left + ((at - from) / Math.max(to - from, 1)) * (WIDTH - left - right);
  const y = (value) => height - bottom - (value / most) * (height - top - bottom);
  const path = points.map(([at, value], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const seconds = Math.round((to - from) / 1000);
  const label = `Records per second over ${seconds} seconds: now ${short(points[points.length - 1][1])}, at most ${short(most)}`;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label },
    svg("line", { class: "grid", x1: left, x2: WIDTH - right, y1: y(most), y2: y(most) }),
    svg("line", { class: "grid", x1: left, x2: WIDTH - right, y1: y(0), y2: y(0) }),
    svg("path", { class: "area", d: `${path}L${x(to)} ${y(0)}L${x(from)} ${y(0)}Z` }),
    svg("path", { class: "line", d: path }),
    svg("text", { x: left, y: y(most) - 5, class: "strong" }, `${short(most)}/s`),
    svg("text", { x: left, y: height - 5 }, `${seconds} s ago`),
    svg("text", { x: WIDTH - right, y: height - 5, "text-anchor": "end" }, "now"));
}

/** p50 to p99 as a bar and p99.9 as a whisker for each stage, on a logarithmic scale of time. */
function stageBars(stages) {
  const [left, right, line, top] = [84, 70, 30, 8];
  const height = top + stages.length * line + 24;
  const values = stages.flatMap((stage) => [stage.p50, stage.p99, stage.p999]).filter((value) => value > 0);
  const lowest = Math.log10(Math.min(...values, 1));
  const highest = Math.max(Math.log10(Math.max(...values, 1)), lowest + 1);
  const x = (ms) => left + ((Math.log10(Math.max(ms, 10 ** lowest)) - lowest) / (highest - lowest)) * (WIDTH - left - right);
  const ticks = [];
  for (let power = Math.ceil(lowest); power <= Math.floor(highest); power += 1) ticks.push(10 ** power);
  const said = stages.map((stage) => `${stage.name}: p50 ${duration(stage.p50)}, p99 ${duration(stage.p99)}`).join("; ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Time per batch. ${said}` },
    ticks.map((tick) => [
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - 22 }),
      svg("text", { x: x(tick), y: height - 6, "text-anchor": "middle" }, duration(tick)),
    ]).flat(),
    stages.map((stage, at) => {
      const middle = top + at * line + line / 2;
      const from = x(stage.p50);
      const to = Math.max(x(stage.p99), from + 2);
      return svg("g", {},
        svg("text", { x: 0, y: middle + 4, class: "strong" }, stage.name),
        svg("line", { class: "whisker", x1: to, x2: Math.max(x(stage.p999), to), y1: middle, y2: middle }),
        svg("rect", { class: stage.hot ? "bar hot" : "bar", x: from, y: middle - 7, width: to - from, height: 14, rx: 3 }),
        svg("text", { x: WIDTH, y: middle + 4, "text-anchor": "end" }, duration(stage.p50)));
    }));
}

/** A share between 0 and 1 as a bar in a row of a table. */
function shareBar(share) {
  const wide = Math.max(0, Math.min(1, share));
  return svg("svg", { viewBox: "0 0 120 14", role: "img", "aria-label": `${Math.round(wide * 100)} percent`, width: 120 },
    svg("rect", { x: 0, y: 3, width: 120, height: 8, rx: 4, fill: "var(--grid)" }),
    svg("rect", { class: wide > 0.9 ? "bar hot" : "bar", x: 0, y: 3, width: 120 * wide, height: 8, rx: 4 }));
}

/** Readings of the last minutes, by name: what the page has seen itself. */
const history = new Map();

function remember(name, value) {
  const points = history.get(name) ?? [];
  points.push([Date.now(), value]);
  while (points.length > 150) points.shift();
  history.set(name, points);
  return points;
}
