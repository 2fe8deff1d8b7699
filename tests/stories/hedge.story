# Choice of servers: fast ones first, slow ones hedged, none for ever avoided.
server 192.0.2.1 zone .
  example. NS ns1.example.
  example. NS ns2.example.
  ns1.example. A 192.0.2.2
  ns2.example. A 192.0.2.3
server 192.0.2.2 zone example.
  *.example. A 192.0.2.80
server 192.0.2.3 zone example.
  *.example. A 192.0.2.80

story: a near server gets most of the queries
  config prefetch off
  rtt 192.0.2.2 5ms
  rtt 192.0.2.3 300ms
  repeat 100 ask n{}.example. A
  expect sent ever <= 45 to 192.0.2.3

story: a server that dies costs a client one retransmission
  repeat 20 ask n{}.example. A
  down 192.0.2.3
  repeat 20 ask m{}.example. A
  ask last.example. A
  expect NOERROR
  expect took <= 300ms

story: a slow answer of a fast server is hedged by the other
  repeat 60 ask n{}.example. A
  on 192.0.2.2 delay 40ms
  on 192.0.2.3 delay 40ms
  repeat 20 ask m{}.example. A
  expect counter upstream_hedges >= 1
  expect counter upstream_hedges <= 6

story: hedges are at most five in a hundred upstream queries
  repeat 40 ask n{}.example. A
  on 192.0.2.2 delay 45ms
  repeat 160 ask m{}.example. A
  expect counter upstream_hedges <= 15

story: a server that heals is used again within thirty seconds
  repeat 20 ask n{}.example. A
  down 192.0.2.2
  repeat 30 ask m{}.example. A
  up 192.0.2.2
  pass 31s
  mark
  repeat 60 ask o{}.example. A
  down 192.0.2.3
  ask last.example. A
  expect took <= 1s

story: a step of the round-trip time from nothing to 300 ms loses no query
  rtt all 1ms
  repeat 20 ask n{}.example. A
  rtt all 300ms
  repeat 30 begin m{}.example. A as step
  finish step
  expect answered 30
  expect NOERROR
  expect took <= 1s

story: a lone server that becomes a second slower is waited for
  config stale off
  ask n1.example. A
  down 192.0.2.3
  repeat 10 ask n{}.example. A
  rtt 192.0.2.2 1.1s
  ask m1.example. A
  expect NOERROR
  expect took <= 2s
