// The last warnings and errors of the log.

const drawLog = (log) => {
  const lines = log.notes.map((note) => html("li", {},
    html("time", { class: "quiet", datetime: new Date(note.at * 1000).toISOString() }, when(note.at)),
    html("span", { class: `state ${note.level === "error" ? "bad" : "shaky"}` }, note.level === "error" ? "✕ error" : "▲ warning"),
    html("span", {}, note.text)));
  const many = (count, what) => `${whole.format(count)} ${what}${count === 1 ? "" : "s"}`;
  const counts = `${many(log.errors, "error")} and ${many(log.warnings, "warning")} since the start`;
  at("log").replaceChildren(html("p", { class: "quiet" }, log.notes.length ? `${counts}, newest first` : `${counts}. Nothing to worry about.`),
    html("ul", { class: "plain", tabindex: log.notes.length > 6 ? 0 : null, "aria-label": "Warnings and errors" }, lines));
};
