// The server: asks it for JSON, by the token where it takes one.

let token = sessionStorage.getItem("token");

const ask = async (path) => {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
  const body = await response.json();
  if (response.status === 401) at("ask-token").hidden = false;
  if (!response.ok) throw new Error(body.error || `status ${response.status}`);
  return body;
};

at("ask-token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value;
  sessionStorage.setItem("token", token);
  at("ask-token").hidden = true;
  refresh();
});
