// Asks every few seconds and draws; rests while nobody looks.

const FIGURES_EVERY = 2000;
const REST_EVERY = 5000;
let isPaused = false;
let lastRest = -Infinity;
let isAsking = false;
let silentSince = null;

const tell = (kind, text) => {
  at("live").className = kind;
  if (at("live").textContent !== text) at("live").textContent = text;
};

const refresh = async () => {
  if (isAsking) return;
  isAsking = true;
  try {
    const after = samples.length ? `?after=${samples.at(-1).number}` : "";
    const [figures, past] = await Promise.all([ask("/v1/figures"), ask(`/v1/history${after}`)]);
    takeHistory(past);
    drawFigures(figures);
    if (performance.now() - lastRest >= REST_EVERY) {
      const [status, pools, log] = await Promise.all([ask("/v1/status"), ask("/v1/pools"), ask("/v1/log")]);
      lastRest = performance.now();
      at("about").textContent = `${status.version} · ${status.ready ? "ready" : "not ready"} · up ${lasting(status.uptime_seconds)} · ${status.workers} ${status.workers === 1 ? "worker" : "workers"}${status.cluster ? ` · cluster ${status.cluster.standing}` : ""}${figures.config.was_last_reload_good ? "" : " · the last reload failed"}`;
      drawPools(pools.pools, figures.members, past.at);
      drawMembers(pools.pools);
      drawCountries(figures.countries);
      drawLog(log);
    }
    silentSince = null;
    tell(isPaused ? "is-paused" : "", isPaused ? "paused" : "live");
  } catch (fault) {
    silentSince ??= clock(Date.now() / 1000);
    tell("is-late", `no figures since ${silentSince}: ${fault.message}`);
  }
  isAsking = false;
};

at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").setAttribute("aria-pressed", isPaused);
  at("pause").textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) tell("is-paused", "paused");
  else refresh();
});
document.addEventListener("visibilitychange", () => document.hidden || isPaused || refresh());
setInterval(() => document.hidden || isPaused || refresh(), FIGURES_EVERY);
refresh();
