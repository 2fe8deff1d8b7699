// Pools: who is in them, how each stands and why, and how much of the answers it gets.

const STATES = {
  HEALTHY: ["good", "●"], UNKNOWN: ["quiet", "○"], SUSPECT: ["shaky", "◐"], PROBING: ["shaky", "◑"], DOWN: ["bad", "✕"],
  DRAINING: ["shaky", "▽"], DRAINED: ["quiet", "▼"], FORCED_DOWN: ["bad", "⊗"], FORCED_UP: ["shaky", "⊕"],
};
const state = (word) => {
  const [kind, sign] = STATES[word] || ["quiet", "?"];
  return html("span", { class: `state ${kind}` }, html("span", { "aria-hidden": "true" }, `${sign} `), word.toLowerCase().replace("_", " "));
};
const bar = (part) =>
  html("div", { class: "share" },
    svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "whole", width: 100, height: 8 }), svg("rect", { class: "part", width: (part || 0) * 100, height: 8 })),
    html("span", {}, percent(part)));

const probes = (member, now) => {
  if (!member.checks.length) return html("span", { class: "quiet" }, "not checked");
  return html("div", {}, member.checks.map((check) => {
    const last = check.last;
    if (!last) return html("div", {}, state(check.state), ` ${check.check}: no probe yet`);
    const [kind, sign] = last.is_good === null ? ["quiet", "?"] : last.is_good ? ["good", "✓"] : ["bad", "✕"];
    return html("div", { title: check.target }, html("span", { class: kind }, `${sign} `),
      `${check.check} ${inTime(last.took_ms / 1000)}, ${lasting(Math.max(0, now - last.at))} ago`,
      html("span", { class: "quiet" }, last.why ? `: ${last.why}` : ""));
  }));
};

const decided = (member, now) => {
  const known = member.override;
  if (!known) return "";
  const until = known.until ? `, ${lasting(Math.max(0, known.until - now))} more` : ", until lifted";
  const empty = member.eta ? `; last answers end ${member.eta > now ? `in ${lasting(member.eta - now)}` : "by now"}` : "";
  return html("div", {}, html("b", {}, known.action), ` by ${known.actor}${until}${empty}`, html("div", { class: "quiet" }, known.reason));
};

const drawPools = (pools, answers, now) => {
  if (!pools.length) {
    at("pools").replaceChildren(html("p", { class: "quiet" }, "The configuration has no pool."));
    return;
  }
  at("pools").replaceChildren(...pools.map(({ pool, members }) => {
    const told = new Map(answers.filter((one) => one.pool === pool).map((one) => [one.member, one.answers]));
    const all = [...told.values()].reduce((total, count) => total + count, 0);
    const usable = members.filter((member) => member.is_usable).length;
    const rows = members.map((member) => [
      html("div", {}, member.member, html("div", { class: "quiet mono" }, member.cname || member.addresses.join(" "))),
      [member.place || "", member.tier > 1 ? html("div", { class: "quiet" }, `tier ${member.tier}`) : null],
      html("div", {}, state(member.state), html("span", { class: "quiet" }, ` for ${lasting(Math.max(0, now - member.since))}`)),
      member.real_state === member.state ? html("span", { class: "quiet" }, "the same") : state(member.real_state),
      probes(member, now),
      all ? bar((told.get(member.member) || 0) / all) : html("span", { class: "quiet" }, "no answer yet"),
      decided(member, now),
    ]);
    const caption = [html("b", {}, pool), html("span", { class: usable === members.length ? "quiet" : "bad" }, ` ${usable} of ${members.length} usable`),
      all ? html("span", { class: "quiet" }, `, ${short.format(all)} answers since the start`) : ""];
    return html("div", { class: "pool scroll" },
      table(caption, [["Member"], ["Place"], ["State"], ["By its checks"], ["Last probe"], ["Share"], ["Override"]], rows));
  }));
};
