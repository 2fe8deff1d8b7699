// The figures of the last minutes, and the four tiles that draw them.

let KEPT = 300;
let STEP = 2;
let samples = [];

const FASTEST = 0.00001;
const KINDS = ["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "other"];
// The RCODEs of a sample by the kinds that are drawn.
const kinds = (rcodes) => {
  const named = KINDS.slice(0, -1).map((name) => rcodes[name] || 0);
  const all = Object.values(rcodes).reduce((sum, count) => sum + count, 0);
  return [...named, all - named.reduce((sum, count) => sum + count, 0)];
};
const sum = (list, value) => list.reduce((total, one) => total + value(one), 0);
const perSecond = (sample) => sample.queries / sample.seconds;
const fromMemory = (list) => {
  const queries = sum(list, (sample) => sample.queries);
  return queries ? 1 - Math.min(1, sum(list, (sample) => sample.misses) / queries) : null;
};
const shares = (list) => {
  const counts = list.map((sample) => kinds(sample.rcodes)).reduce((all, one) => all.map((count, kind) => count + one[kind]), [0, 0, 0, 0, 0]);
  const all = counts.reduce((total, count) => total + count, 0);
  return counts.map((count) => (all ? count / all : 0));
};
const newest = () => samples.slice(-5); // ten seconds: calm enough to be read
const lastTimes = (list) => list.filter((sample) => sample.times).at(-1)?.times ?? [null, null, null];

const tiles = {
  queries: new Chart("Queries a second", (sample) => `${rate(perSecond(sample))}/s`),
  memory: new Chart("Without asking upstream", (sample) => percent(fromMemory([sample]))),
  latency: new Chart("Time to answer", (sample) => sample.times ? sample.times.map(inTime).join(" · ") : "no answer"),
  rcodes: new Chart("Response codes", (sample) => {
    const parts = shares([sample]);
    return KINDS.map((name, kind) => (parts[kind] ? `${name} ${percent(parts[kind])}` : "")).filter(Boolean).join(", ") || "no answer";
  }),
};
at("tiles").append(...Object.values(tiles).map((tile) => tile.element), hatches());

const drawFigures = (figures) => {
  const last = newest();
  const seconds = sum(last, (sample) => sample.seconds);
  const speed = seconds ? sum(last, (sample) => sample.queries) / seconds : 0;
  const speeds = samples.map(perSecond);
  const most = Math.max(0, ...speeds);
  const queries = tiles.queries;
  queries.now.replaceChildren(html("strong", {}, rate(speed)), html("span", { class: "quiet" }, "/s"));
  queries.key.replaceChildren(html("span", {}, "at most ", html("b", {}, rate(most)), "/s"),
    html("span", {}, html("b", { id: "total-queries", "data-value": figures.queries }, short.format(figures.queries)), " since the start"));
  const top = ceiling(Math.max(most, 1));
  queries.lines(samples, [speeds], (value) => value / top, `${rate(top)}/s`);
  queries.tell(`now ${rate(speed)}, at most ${rate(most)}`);

  const part = fromMemory(last);
  const memory = tiles.memory;
  memory.now.replaceChildren(html("strong", {}, percent(part)));
  memory.key.replaceChildren(html("span", {}, "cache ", html("b", {}, octets(figures.cache.bytes)), ", ", html("b", {}, short.format(figures.cache.entries)), " facts"),
    figures.stale_answers ? html("span", {}, html("b", {}, short.format(figures.stale_answers)), " stale") : "");
  memory.lines(samples, [samples.map((sample) => fromMemory([sample]))], (part) => part, "100 %");
  memory.tell(`now ${percent(part)}`);

  const [half, ninety, most99] = lastTimes(last);
  const latency = tiles.latency;
  // From microseconds to seconds in one picture: each step up is ten times as long.
  const slowest = ceiling(Math.max(0.001, ...samples.map((sample) => sample.times?.[2] ?? 0)));
  const height = (time) => Math.log10(time / FASTEST) / Math.log10(slowest / FASTEST);
  latency.now.replaceChildren(html("strong", {}, inTime(half)), html("span", { class: "quiet" }, "half of them within"));
  latency.key.replaceChildren(...[["p50", half], ["p90", ninety], ["p99", most99]].map(([name, value], order) =>
    html("span", {}, swatchLine(order), `${name} `, html("b", {}, inTime(value)))));
  latency.lines(samples, [0, 1, 2].map((order) => samples.map((sample) => sample.times?.[order] ?? null)), height, `${inTime(FASTEST)} to ${inTime(slowest)}, logarithmic`);
  latency.tell(`half within ${inTime(half)}, nine tenths within ${inTime(ninety)}, 99 hundredths within ${inTime(most99)}`);

  const mix = shares(last);
  const rcodes = tiles.rcodes;
  const total = mix.reduce((all, share) => all + share, 0);
  rcodes.now.replaceChildren(html("strong", {}, total ? percent(mix[0]) : "–"), html("span", { class: "quiet" }, "NOERROR"));
  rcodes.key.replaceChildren(...KINDS.slice(1).map((name, kind) => (mix[kind + 1] || kind < 2) && html("span", {}, swatch(kind + 1), `${name} `, html("b", {}, total ? percent(mix[kind + 1]) : "–"))).filter(Boolean));
  rcodes.columns(samples, samples.map((sample) => shares([sample])));
  rcodes.tell(total ? KINDS.map((name, kind) => `${name} ${percent(mix[kind])}`).join(", ") : "nothing was answered");
  if (at("minutes").open) drawMinutes();
};

const drawMinutes = () => {
  const minutes = new Map();
  for (const sample of samples) {
    const minute = Math.floor(sample.at / 60) * 60;
    minutes.set(minute, [...(minutes.get(minute) || []), sample]);
  }
  const columns = [["Minute"], ["Queries/s", "number"], ["Without upstream", "number"], ["p50", "number"], ["p99", "number"], ...KINDS.map((name) => [name, "number"])];
  const rows = [...minutes].reverse().map(([minute, list]) => {
    const worst = (order) => inTime(list.reduce((most, sample) => (sample.times ? Math.max(most ?? 0, sample.times[order]) : most), null));
    return [clock(minute).slice(0, 5), rate(sum(list, (sample) => sample.queries) / sum(list, (sample) => sample.seconds)), percent(fromMemory(list)), worst(0), worst(2), ...shares(list).map(percent)];
  });
  at("minutes").querySelector("table").replaceWith(table("By minute; of times the longest", columns, rows, ""));
};
at("minutes").addEventListener("toggle", drawMinutes);

const takeHistory = (past) => {
  [KEPT, STEP] = [past.kept, past.step_seconds];
  // A server that has begun anew counts from 0 again.
  if (past.samples.length && samples.length && past.samples[0].number <= samples.at(-1).number) samples = [];
  samples = [...samples, ...past.samples].slice(-KEPT);
};
