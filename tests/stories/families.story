# IPv4 and IPv6: a broken family costs little and is tried again.
server 192.0.2.1 zone .
  repeat 60 z{}.test. NS ns.z{}.test.
  repeat 60 ns.z{}.test. A 192.0.2.{}
  repeat 60 ns.z{}.test. AAAA 2001:db8::{}
  example. NS ns.example.
  ns.example. A 198.51.100.1
server 198.51.100.1 zone example.
  www.example. A 192.0.2.80
  repeat 13 same.example. NS ns{}.same.example.
  repeat 13 ns{}.same.example. A 198.51.100.99
repeat 60 server 192.0.2.{} zone z{}.test.
server 192.0.2.1 zone z1.test.
  www.z1.test. A 192.0.2.80

story: a network that swallows IPv6 slows down only the first few zones
  repeat 40 ask www.z{+1}.test. A
  ask www.z45.test. A
  expect took <= 100ms
  ask www.z46.test. A
  expect took <= 100ms
  ask www.z47.test. A
  expect took <= 100ms
  ask www.z48.test. A
  expect took <= 100ms
  ask www.z49.test. A
  expect took <= 100ms
  ask www.z50.test. A
  expect took <= 100ms

story: a family that was broken is tried again after thirty seconds
  repeat 20 ask www.z{+1}.test. A
  server 2001:db8::45 zone z45.test.
  server 2001:db8::46 zone z46.test.
  server 2001:db8::47 zone z47.test.
  server 2001:db8::48 zone z48.test.
  down 192.0.2.45
  pass 31s
  ask www.z45.test. A
  expect NXDOMAIN
  expect took <= 1s

story: thirteen name servers at one dead address get three queries together
  ask www.same.example. A
  expect SERVFAIL
  expect sent <= 3 to 198.51.100.99

story: with IPv4 dead the zones are resolved over IPv6
  server 2001:db8::45 zone z45.test.
  down 192.0.2.45
  ask www.z45.test. A
  expect NXDOMAIN
  expect took <= 1s
