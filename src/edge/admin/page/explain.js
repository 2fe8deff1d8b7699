// Explains one answer: each handler, each stage with whom it left and why, what was known, who was asked.

// Members in their order, behind them those whom the stage has left out.
const chips = (members, out = [], first = null) =>
  html("span", { class: "chips" }, members.map((member, order) => html("span", { class: order ? null : first }, member)),
    out.map((member) => html("del", { title: "left out here" }, member)), !members.length && !out.length && "nobody");
const leftOut = (stage) => stage.before.filter((member) => !stage.after.includes(member));

const choice = (made) =>
  html("div", { class: "scroll" }, table(
    [html("b", {}, made.name), ` from the pool `, html("b", {}, made.pool), ` for ${made.subject} (${made.place}), scope /${made.scope}, TTL ${made.ttl} s`],
    [["Stage"], ["Before"], ["After"], ["Looked at"], ["By what"]],
    made.stages.map((stage) => [stage.stage, chips(stage.before), chips(stage.after, leftOut(stage), "first"), stage.scope ? `/${stage.scope}` : "",
      html("div", {}, stage.facts.map((fact) => html("div", {}, fact.member ? html("b", {}, `${fact.member} `) : "", fact.fact)))])));

const list = (title, items) => items.length > 0 && html("div", {}, html("h3", { class: "quiet" }, title), html("ul", { class: "plain" }, items));

const drawExplanation = (told) => {
  const { question, response } = told;
  const records = [...(response?.answer ?? []), ...(response?.authority ?? [])];
  const verdict = response ? `${response.rcode} after ${inTime(told.milliseconds / 1000)}` : "no response";
  at("explanation").replaceChildren(...[
    html("p", { class: "verdict" }, html("b", {}, verdict), ` for ${question.name} ${question.type}, client ${question.client}`),
    records.length > 0 && html("div", { class: "scroll" }, table("Records", [["Owner"], ["TTL", "number"], ["Type"], ["Data"]],
      records.map((record) => [record.owner, `${record.ttl} s`, record.type, html("span", { class: "mono" }, record.rdata)]))),
    ...told.choices.map(choice),
    list("Handlers", told.links.map((link) => html("li", {}, html("b", { class: "state" }, link.link), html("span", {}, link.verdict)))),
    list("Known before", told.known.map((known) => html("li", {}, html("span", {}, known)))),
    list("Upstream", told.steps.map((step) => html("li", {}, html("span", { class: "quiet" }, `${step.milliseconds.toFixed(1)} ms`), html("span", {}, step.what)))),
  ].filter(Boolean));
};

const explain = async () => {
  const fields = [["name", at("name").value.trim()], ["type", at("type").value.trim()], ["client", at("client").value.trim()]].filter(([, value]) => value);
  const query = new URLSearchParams(fields);
  history.replaceState(null, "", `#explain?${query}`);
  at("explanation").replaceChildren(html("p", { class: "quiet" }, "Asking …"));
  try {
    drawExplanation(await ask(`/v1/explain?${query}`));
  } catch (fault) {
    at("explanation").replaceChildren(html("p", { class: "bad" }, `✕ ${fault.message}`));
  }
};

at("question").addEventListener("submit", (event) => {
  event.preventDefault();
  explain();
});
// A link to an explanation shows it.
if (location.hash.startsWith("#explain?")) {
  const fields = new URLSearchParams(location.hash.slice("#explain?".length));
  for (const field of ["name", "type", "client"]) if (fields.get(field)) at(field).value = fields.get(field);
  if (at("name").value) explain();
}
