// Charts over the last samples: a plot without text, scaled to whatever width there is, and its words around it.

const WIDTH = 300;
const HEIGHT = 88;

// A round number at or above `value`.
const ceiling = (value) => {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
};

class Chart {
  // `title` names it; `describe` says the figures of the sample at an index, for whoever points at it.
  constructor(title, describe) {
    this.now = html("div", { class: "now" });
    this.key = html("div", { class: "key" });
    this.top = html("span", { class: "top", "aria-hidden": "true" });
    this.from = html("span");
    this.to = html("span");
    this.hair = svg("line", { class: "hair", y1: 0, y2: HEIGHT });
    this.marks = svg("g");
    this.plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", tabindex: 0 },
      [0, 0.5, 1].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part })),
      this.marks, this.hair);
    this.chart = html("div", { class: "chart" }, this.plot, this.top, html("div", { class: "span" }, this.from, this.to));
    this.element = html("article", { class: "tile" }, html("h3", {}, title), this.now, this.key, this.chart);
    this.title = title;
    this.describe = describe;
    this.samples = [];
    this.read = null;
    this.plot.addEventListener("pointermove", (event) => {
      const box = this.plot.getBoundingClientRect();
      this.point(Math.round(((event.clientX - box.left) / box.width) * (this.span - 1)) - (this.span - this.samples.length));
    });
    for (const end of ["pointerleave", "blur"]) this.plot.addEventListener(end, () => this.point(null));
    this.plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.point((this.read ?? this.samples.length) + step);
    });
  }

  // Reads the sample at `index` out; none the whole again.
  point(index) {
    this.read = index === null || !this.samples.length ? null : Math.max(0, Math.min(this.samples.length - 1, index));
    this.chart.classList.toggle("is-read", this.read !== null);
    if (this.read !== null) {
      const x = this.x(this.read);
      this.hair.setAttribute("x1", x);
      this.hair.setAttribute("x2", x);
    }
    this.say();
  }

  x(index) {
    return ((index + this.span - this.samples.length) / (this.span - 1)) * WIDTH;
  }

  // Samples from edge to edge: a minute of them at first, and as many as there are later.
  get span() {
    return Math.max(Math.ceil(60 / STEP), this.samples.length);
  }

  say() {
    if (this.read !== null) {
      const sample = this.samples[this.read];
      this.to.textContent = `${clock(sample.at)}: ${this.describe(sample)}`;
      this.from.textContent = "";
    } else {
      this.from.textContent = `${lasting(Math.round((this.span * STEP) / 30) * 30)} ago`;
      this.to.textContent = "now";
    }
  }

  // Draws lists of values (null where there is none) as lines, as high as `scale` (0 to 1) says; the first with an area
  // under it.
  lines(samples, lists, scale, scaleText) {
    this.samples = samples;
    const y = (value) => HEIGHT * (1 - Math.max(0, Math.min(1, scale(value))));
    const drawn = lists.map((list, order) => {
      let path = "";
      let is_open = false;
      list.forEach((value, index) => {
        if (value !== null) path += `${is_open ? "L" : "M"}${this.x(index).toFixed(1)} ${y(value).toFixed(1)}`;
        is_open = value !== null;
      });
      const line = svg("path", { class: `line line-${order}`, d: path });
      if (order > 0 || list.length < 2 || list.includes(null)) return line;
      return [svg("path", { class: "area", d: `${path}L${WIDTH} ${HEIGHT}L${this.x(0).toFixed(1)} ${HEIGHT}Z` }), line];
    });
    this.marks.replaceChildren(...drawn.flat());
    this.top.textContent = scaleText;
    this.say();
  }

  // Draws what each sample is made of as columns of one height; `parts` are the shares of each.
  columns(samples, parts) {
    this.samples = samples;
    const kinds = parts[0] ? parts[0].length : 0;
    const drawn = [];
    const width = WIDTH / this.span;
    for (let kind = 0; kind < kinds; kind += 1) {
      let path = "";
      parts.forEach((shares, index) => {
        const below = shares.slice(0, kind).reduce((sum, share) => sum + share, 0);
        if (shares[kind] > 0) {
          const height = shares[kind] * HEIGHT;
          path += `M${((index + this.span - parts.length) * width).toFixed(2)} ${(HEIGHT * (1 - below)).toFixed(2)}h${(width * 1.02).toFixed(2)}v${(-height).toFixed(2)}h${(-width * 1.02).toFixed(2)}z`;
        }
      });
      drawn.push(svg("path", { class: `rcode-${kind}`, d: path }));
      if (kind > 0) drawn.push(svg("path", { d: path, fill: `url(#hatch-${kind})` }));
    }
    this.marks.replaceChildren(...drawn);
    this.top.textContent = "";
    this.say();
  }

  // What it shows, in one sentence, for whoever does not see it.
  tell(text) {
    this.plot.setAttribute("aria-label", `${this.title}: ${text}. Arrow keys read single samples.`);
  }
}

// Hatches tell the kinds of a mix apart where colours do not.
const hatches = () =>
  svg("svg", { class: "unseen", "aria-hidden": "true" }, svg("defs", {},
    ["M0 6L6 0", "M0 0L6 6M0 6L6 0", "M0 3H6", "M3 0V6"].map((d, kind) =>
      svg("pattern", { id: `hatch-${kind + 1}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, svg("path", { class: "hatch", d })))));
const swatch = (kind) =>
  svg("svg", { viewBox: "0 0 18 11", "aria-hidden": "true" }, svg("rect", { class: `rcode-${kind}`, width: 18, height: 11 }),
    kind > 0 && svg("rect", { fill: `url(#hatch-${kind})`, width: 18, height: 11 }));
const swatchLine = (order) =>
  svg("svg", { viewBox: "0 0 18 11", "aria-hidden": "true" }, svg("path", { class: `swatch-line line-${order}`, d: "M0 6H18" }));
