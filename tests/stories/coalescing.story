# Clients who ask the same at once cause one fetch.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  alias.example. CNAME www.example.

story: a hundred clients who ask at once cause one fetch
  begin www.example. A times 100 as crowd
  finish crowd
  expect answered 100
  expect NOERROR
  expect sent 2
  expect counter coalesced 99

story: beyond a thousand waiters the oldest is told so and counted
  config per_client 2000
  begin www.example. A as oldest
  begin www.example. A times 1029 as crowd
  finish oldest
  expect SERVFAIL
  expect took <= 1ms
  finish crowd
  expect answered 1029
  expect counter crowded_out 30
  expect sent 2

story: letter case does not part clients who wait, and each gets its own letters
  begin www.example. A as small
  begin WWW.EXAMPLE. A as large
  finish all
  expect sent 2

story: different types of one name share the walk to the zone
  begin www.example. A as four
  begin www.example. AAAA as six
  finish all
  expect sent 1 to 192.0.2.1
  expect sent 3

story: different names of one zone share the walk to the zone
  begin a.example. A
  begin b.example. A
  begin c.example. A
  finish all
  expect sent 1 to 192.0.2.1

story: a client over TCP and one over UDP share a fetch
  begin www.example. A +tcp
  begin www.example. A
  finish all
  expect sent 2

story: one who wants signatures and one who does not share a fetch
  begin www.example. A +do
  begin www.example. A
  finish all
  expect sent 2

story: clients with different EDNS options share a fetch
  begin www.example. A +option=8
  begin www.example. A +option=65001
  begin www.example. A
  finish all
  expect sent 2

story: a client who comes late to a dead fetch waits its own time only
  down 192.0.2.2
  begin www.example. A as first
  pass 1s
  begin www.example. A as second
  finish second
  expect SERVFAIL
  expect took <= 4.5s

story: over TCP a client that is pushed out is told so
  begin www.example. A +tcp times 1030 as crowd
  finish crowd
  expect answered 1030
  expect counter crowded_out 30
