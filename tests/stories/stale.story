# Serving past the TTL (RFC 8767): only when upstreams fail or are slow, never instead of asking.
server 192.0.2.1 zone .
  example. 86400 NS ns.example.
  ns.example. 86400 A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. 300 A 192.0.2.80
  alias.example. 300 CNAME web.example.
  web.example. 60 A 192.0.2.81
  brief.example. 10 A 192.0.2.82
  example. 7200 SOA ns.example. admin.example. 1 7200 3600 1209600 300

story: with upstreams dead a stale answer comes within two seconds with TTL 30 and EDE 3
  ask www.example. A
  down all
  pass 10m
  ask www.example. A
  expect NOERROR
  expect answer www.example. 30 A 192.0.2.80
  expect ede 3
  expect took <= 2s
  expect counter stale_answers 1

story: fresh data win over stale data
  ask www.example. A
  pass 10m
  ask www.example. A
  expect answer www.example. 300 A 192.0.2.80
  expect no ede
  expect took <= 100ms

story: a slow server that answers within the wait gives a fresh answer
  ask www.example. A
  pass 10m
  rtt 192.0.2.2 1.2s
  ask www.example. A
  expect answer www.example. 300 A 192.0.2.80
  expect took <= 1.8s

story: an answer that comes after the wait is kept for the next client
  rtt 192.0.2.2 150ms
  ask www.example. A
  pass 10m
  rtt 192.0.2.2 2.5s
  ask www.example. A
  expect ede 3
  expect took <= 2s
  pass 3s
  ask www.example. A
  expect answer www.example. 298 A 192.0.2.80
  expect no ede
  expect sent 0

story: an error from upstream brings the stale answer at once
  ask www.example. A
  pass 10m
  on 192.0.2.2 rcode SERVFAIL
  ask www.example. A
  expect NOERROR
  expect ede 3
  expect took <= 500ms

story: after a failed refresh the stale answer is given at once and nobody asks
  ask www.example. A
  down all
  pass 10m
  ask www.example. A
  pass 8s
  ask www.example. A
  expect ede 3
  expect took <= 1ms
  expect sent 0

story: after the rest the next query is the one refresh
  ask www.example. A
  down all
  pass 10m
  ask www.example. A
  pass 8s
  up all
  pass 31s
  ask www.example. A
  expect no ede
  expect answer www.example. 300 A 192.0.2.80

story: nothing is stale for more than twenty times its TTL
  ask brief.example. A
  down all
  pass 209s
  ask brief.example. A
  expect NOERROR
  pass 10s
  ask brief.example. A
  expect SERVFAIL

story: nothing is stale for more than a day
  ask www.example. A
  down all
  pass 1h
  ask www.example. A
  expect ede 3
  pass 24h
  ask www.example. A
  expect SERVFAIL

story: a fresh NXDOMAIN is never covered by stale data
  ask www.example. A
  server 192.0.2.2 zone example.
    other.example. A 192.0.2.90
  pass 10m
  ask www.example. A
  expect NXDOMAIN
  down all
  pass 1m
  ask www.example. A
  expect NXDOMAIN
  expect no ede

story: a stale NXDOMAIN says EDE 19
  ask none.example. A
  down all
  pass 10m
  ask none.example. A
  expect NXDOMAIN
  expect ede 19

story: a stale alias with a stale end is served whole
  ask alias.example. A
  down all
  pass 10m
  ask alias.example. A
  expect NOERROR
  expect answer alias.example. 30 CNAME web.example.
  expect answer web.example. 30 A 192.0.2.81
  expect ede 3

story: a fresh alias with a stale end keeps its own TTL
  ask alias.example. A
  down all
  pass 100s
  ask alias.example. A
  expect answer alias.example. 200 CNAME web.example.
  expect answer web.example. 30 A 192.0.2.81
  expect ede 3

story: the whole chain is refreshed once upstreams are back
  ask alias.example. A
  pass 10m
  ask alias.example. A
  expect answer alias.example. 300 CNAME web.example.
  expect answer web.example. 60 A 192.0.2.81
  expect no ede

story: without serve-stale a dead upstream is SERVFAIL within 4.5 seconds
  config stale off
  ask www.example. A
  down all
  pass 10m
  ask www.example. A
  expect SERVFAIL
  expect ede 22
  expect took <= 4.5s

story: a hundred clients of a stale name cause one refresh
  ask www.example. A
  down all
  pass 10m
  mark
  begin www.example. A times 100 as crowd
  finish crowd
  expect answered 100
  expect ede 3
  expect sent <= 3 to 192.0.2.2

story: RD=0 never gets stale data
  ask www.example. A
  down all
  pass 10m
  ask www.example. A +norec
  expect REFUSED
  expect sent 0

story: in an outage too only the first client of a stale name waits
  ask www.example. A
  ask brief.example. A
  ask alias.example. A
  down all
  pass 10m
  ask www.example. A
  ask alias.example. A
  pass 8s
  ask www.example. A
  expect ede 3
  expect took <= 1ms
  ask alias.example. A
  expect took <= 1ms
