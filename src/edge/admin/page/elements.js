// Elements: made from what they are, hold, and say. Whatever comes from the server becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};
const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const at = (id) => document.getElementById(id);

// A table: columns are [heading, class], rows lists of cells, the first of which names its row.
const table = (caption, columns, rows, kind = "cards") =>
  html("table", { class: kind },
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, columns.map(([heading, side]) => html("th", { scope: "col", class: side }, heading)))),
    html("tbody", {}, rows.map((cells) => html("tr", {}, cells.map((cell, column) => {
      const [heading, side] = columns[column];
      return column === 0
        ? html("th", { scope: "row", class: side }, cell)
        : html("td", { class: side, "data-of": heading || null }, cell);
    })))));

// Numbers for people.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const rate = (value) => (value >= 10000 ? short.format(value) : value >= 100 || value === 0 ? whole.format(value) : value.toFixed(1));
const percent = (part) => (part === null || Number.isNaN(part) ? "–" : part > 0 && part < 0.001 ? "<0.1 %" : `${(part * 100).toFixed(part === 1 || part === 0 ? 0 : 1)} %`);
const inTime = (seconds) =>
  seconds === null ? "–" : seconds < 1e-3 ? `${Math.max(1, Math.round(seconds * 1e6))} µs` : seconds < 1 ? `${(seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`;
const octets = (value) => {
  const step = Math.min(3, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${(value / 1024 ** step).toFixed(step ? 1 : 0)} ${["B", "KiB", "MiB", "GiB"][step]}`;
};
const lasting = (seconds) => {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [unit, size] = units[first];
  const [next, part] = units[first + 1] || ["", 0];
  const rest = part ? Math.floor((seconds % size) / part) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next}` : ""}`;
};
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
const when = (seconds) => {
  const day = new Date(seconds * 1000);
  const today = day.toDateString() === new Date().toDateString();
  return today ? clock(seconds) : `${day.toLocaleDateString("en-CA")} ${clock(seconds)}`;
};
