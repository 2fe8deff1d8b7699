// The world: countries by how many answers went there, members where they stand.

const WORLD = JSON.parse(at("world").textContent);
const names = new Intl.DisplayNames("en", { type: "region" });
const country = (code) => (code === "unknown" ? "unknown place" : names.of(code));

// Equal Earth (Savric, Patterson, Jenny 2018), as make-world.py has drawn the outlines.
const project = ([north, east]) => {
  const [A1, A2, A3, A4, M] = [1.340264, -0.081106, 0.000893, 0.003796, Math.sqrt(3) / 2];
  const scale = WORLD.width / 2 / 2.70663;
  const t = Math.asin(M * Math.sin((north * Math.PI) / 180));
  const [squared, sixth] = [t * t, t ** 6];
  const x = (((east * Math.PI) / 180) * Math.cos(t)) / (M * (A1 + 3 * A2 * squared + sixth * (7 * A3 + 9 * A4 * squared)));
  const y = t * (A1 + A2 * squared + sixth * (A3 + A4 * squared));
  return [x * scale + WORLD.width / 2, -y * scale - WORLD.top];
};

const shapes = new Map(Object.entries(WORLD.shapes).map(([code, d]) => [code, svg("path", { class: "land", d })]));
const dots = svg("g");
const marks = svg("g");
const LEAST = [0.1, 0.02, 0.005, 0]; // the shares from which a country is darker
const heat = (share) => 4 - LEAST.findIndex((least) => share > least);
at("map").append(
  svg("svg", { viewBox: `0 0 ${WORLD.width} ${WORLD.height}`, role: "img", "aria-label": "World map; the table beside it tells the same" },
    ...shapes.values(), dots, marks),
  html("p", { class: "heat-key" },
    [["none", 0], ["a few", 1], ["over 0.5 %", 2], ["over 2 %", 3], ["over 10 %", 4]].map(([text, step]) =>
      html("span", {}, svg("svg", { viewBox: "0 0 19 16", "aria-hidden": "true" }, svg("rect", { class: `land heat-${step}`, width: 19, height: 16 })), text))));

const drawCountries = (countries) => {
  const all = sum(countries, (one) => one.count);
  for (const shape of shapes.values()) {
    shape.setAttribute("class", "land");
    shape.replaceChildren();
  }
  dots.replaceChildren();
  for (const { name: code, count } of countries) {
    const label = svg("title", {}, `${country(code)}: ${whole.format(count)} answers, ${percent(count / all)}`);
    const shape = shapes.get(code);
    const centre = WORLD.centres[code];
    if (shape) {
      shape.setAttribute("class", `land heat-${heat(count / all)}`);
      shape.append(label);
    } else if (centre) {
      dots.append(svg("circle", { class: `land heat-${heat(count / all)}`, cx: centre[0], cy: centre[1], r: 4 }, label));
    }
  }
  const rows = countries.slice(0, 9).map((one) => [country(one.name), short.format(one.count), bar(one.count / all)]);
  const rest = sum(countries.slice(9), (one) => one.count);
  if (rest) rows.push([`${countries.length - 9} others`, short.format(rest), bar(rest / all)]);
  at("countries").replaceChildren(all
    ? table("Steered answers since the start", [["To"], ["Answers", "number"], ["Share"]], rows, "")
    : html("p", { class: "quiet" }, "No answer was steered yet. Ask for a name that answers from a pool, and its client's country turns up here."));
};

const drawMembers = (pools) => {
  const places = new Map();
  for (const { pool, members } of pools) {
    for (const member of members.filter((one) => one.at)) {
      const key = member.at.join();
      places.set(key, [...(places.get(key) || []), { pool, ...member }]);
    }
  }
  marks.replaceChildren(...[...places.values()].map((here) => {
    const [x, y] = project(here[0].at);
    const usable = here.filter((member) => member.is_usable);
    const kind = !usable.length ? "bad" : here.every((member) => member.state === "HEALTHY") ? "good" : "shaky";
    const title = here.map((member) => `${member.pool}/${member.member}: ${member.state}`).join("\n");
    const mark = kind === "bad" ? svg("path", { d: `M${x - 5} ${y - 5}l10 10m0-10l-10 10` }) : svg("circle", { cx: x, cy: y, r: kind === "good" ? 5.5 : 4.5 });
    const label = [...new Set(here.map((member) => member.member))].slice(0, 3).join(" ") + (kind === "good" ? "" : kind === "bad" ? " ✕" : " ▲");
    const before = x > WORLD.width - 90;
    return svg("g", { class: `member ${kind}` }, svg("title", {}, title), mark,
      svg("text", { x: before ? x - 9 : x + 9, y: y + 4.5, "text-anchor": before ? "end" : "start" }, label));
  }));
};
