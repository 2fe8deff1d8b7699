# The bounds on what is asked of upstreams, each driven to its value and one beyond: the figure, the counter, the EDE.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  repeat 12 c{}.example. CNAME c{+1}.example.
  c13.example. A 192.0.2.81
  repeat 257 past.example. A 10.0.{hi}.{lo}
  repeat 256 full.example. A 10.0.{hi}.{lo}
server 192.0.2.3 zone test.
  d0.test. NS ns.d1.test.
  repeat 5 d{}.test. NS ns.d{+1}.test.
  ns.d6.test. A 192.0.2.15
server 192.0.2.15 zone d0.test.
  www.d0.test. A 192.0.2.90
server 192.0.2.15 zone d1.test.
  ns.d1.test. A 192.0.2.15
  www.d1.test. A 192.0.2.91
server 192.0.2.15 zone d2.test.
  ns.d2.test. A 192.0.2.15
server 192.0.2.15 zone d3.test.
  ns.d3.test. A 192.0.2.15
server 192.0.2.15 zone d4.test.
  ns.d4.test. A 192.0.2.15
server 192.0.2.15 zone d5.test.
  ns.d5.test. A 192.0.2.15

story: a chain of eleven aliases is answered and one of twelve is not
  ask c2.example. A
  expect NOERROR
  expect answer has 12
  expect answer c13.example. A 192.0.2.81
  expect counter bound_aliases 0
  ask c1.example. A
  expect SERVFAIL
  expect ede 0 alias chain too long
  expect counter bound_aliases 1

story: an RRset of 256 records is answered and one of 257 is not
  ask full.example. A +tcp
  expect NOERROR
  expect answer has 256
  expect counter bound_records 0
  ask past.example. A +tcp
  expect SERVFAIL
  expect ede 24
  expect counter bound_records >= 1

story: sixty-four upstream queries are made for one question and not one more
  server 192.0.2.3 zone test.
    repeat 13 fan.test. NS ns{}.fan.test.
    repeat 13 ns{}.fan.test. A 198.51.100.{}
    repeat 13 ns{}.fan.test. AAAA 2001:db8::{}
  repeat 13 server 198.51.100.{} zone fan.test.
  repeat 13 server 2001:db8::{} zone fan.test.
  repeat 13 on 198.51.100.{} rcode SERVFAIL
  repeat 13 on 2001:db8::{} rcode SERVFAIL
  ask www.sub.fan.test. A
  expect SERVFAIL
  expect ede 0 too many upstream queries
  expect counter bound_queries 1
  expect sent 64

story: thirty-two queries are made at one step
  server 192.0.2.3 zone test.
    repeat 13 fan.test. NS ns{}.fan.test.
    repeat 13 ns{}.fan.test. A 198.51.100.{}
    repeat 13 ns{}.fan.test. AAAA 2001:db8::{}
  repeat 13 server 198.51.100.{} zone fan.test.
  repeat 13 server 2001:db8::{} zone fan.test.
  repeat 13 on 198.51.100.{} edns rcode FORMERR
  repeat 13 on 2001:db8::{} edns rcode FORMERR
  repeat 13 on 198.51.100.{} rcode SERVFAIL
  repeat 13 on 2001:db8::{} rcode SERVFAIL
  ask www.fan.test. A
  expect SERVFAIL
  expect ede 22 SERVFAIL
  expect sent 34

story: sixteen addresses of a delegation are asked
  server 192.0.2.3 zone test.
    repeat 13 fan.test. NS ns{}.fan.test.
    repeat 13 ns{}.fan.test. A 198.51.100.{}
    repeat 13 ns{}.fan.test. AAAA 2001:db8::{}
  repeat 13 server 198.51.100.{} zone fan.test.
  repeat 13 server 2001:db8::{} zone fan.test.
  repeat 13 on 198.51.100.{} unreachable
  repeat 13 on 2001:db8::{} unreachable
  ask www.fan.test. A
  expect SERVFAIL
  expect ede 23
  expect sent 18

story: thirteen name servers of a delegation are kept
  server 192.0.2.3 zone test.
    repeat 20 fan.test. NS ns{}.fan.test.
    repeat 20 ns{}.fan.test. A 198.51.100.{}
  repeat 20 server 198.51.100.{} zone fan.test.
  repeat 20 on 198.51.100.{} unreachable
  ask www.fan.test. A
  expect SERVFAIL
  expect ede 23
  expect sent 15
  expect sent 1 to 198.51.100.13
  expect sent 0 to 198.51.100.14

story: four addresses of a name server are kept
  server 192.0.2.3 zone test.
    fan.test. NS ns.fan.test.
    repeat 9 ns.fan.test. A 198.51.100.{}
  repeat 9 server 198.51.100.{} zone fan.test.
  repeat 9 on 198.51.100.{} unreachable
  ask www.fan.test. A
  expect SERVFAIL
  expect ede 23
  expect sent 6
  expect sent 1 to 198.51.100.4
  expect sent 0 to 198.51.100.5

story: a silent server is asked three times
  down 192.0.2.2
  ask www.example. A
  expect SERVFAIL
  expect ede 22 no server answered
  expect sent 3 to 192.0.2.2
  expect counter upstream_timeouts 3

story: a server never asked before is given 376 ms
  down 192.0.2.2
  begin www.example. A as x
  pass 385ms
  expect sent 1 to 192.0.2.2
  pass 2ms
  expect sent 2 to 192.0.2.2
  expect counter upstream_timeouts 1
  finish x

story: the fastest server is given 50 ms
  rtt 192.0.2.2 1ms
  repeat 40 ask n{}.example. A
  down 192.0.2.2
  begin www.example. A as x
  pass 49ms
  expect sent 1 to 192.0.2.2
  pass 2ms
  expect sent 2 to 192.0.2.2
  expect counter upstream_timeouts 1
  finish x

story: the slowest server is given three seconds
  config stale off
  rtt 192.0.2.2 1.4s
  ask mail.example. A
  pass 31s
  down 192.0.2.2
  begin www.example. A as x
  pass 2.99s
  expect sent 1 to 192.0.2.2
  pass 20ms
  expect sent 2 to 192.0.2.2
  finish x

story: a client is told by 4.5 s and the work ends by 6 s
  server 192.0.2.3 zone test.
    repeat 13 dead.test. NS ns{}.dead.test.
    repeat 13 ns{}.dead.test. A 198.51.100.{}
    repeat 13 ns{}.dead.test. AAAA 2001:db8::{}
  begin www.dead.test. A as x
  finish x
  expect SERVFAIL
  expect ede 22 no answer in time
  expect took 4.5s
  pass 1.4s
  expect counter bound_time 0
  pass 200ms
  expect counter bound_time 1
  expect counter resolutions_failed 1
  mark
  pass 10s
  expect sent 0

story: names of name servers are followed four deep
  ask www.d1.test. A
  expect NOERROR
  expect answer www.d1.test. A 192.0.2.91
  expect counter bound_depth 0

story: names of name servers are not followed five deep
  ask www.d0.test. A
  expect SERVFAIL
  expect ede 0 nested too deep
  expect counter bound_depth >= 1

story: addresses of two name servers are fetched at a time and of four for a delegation
  server 192.0.2.3 zone test.
    repeat 6 wide.test. NS ns.place{}.victim.test.
    victim.test. NS ns.victim.test.
    ns.victim.test. A 192.0.2.5
  server 192.0.2.5 zone victim.test.
    repeat 6 ns.place{}.victim.test. TXT here
  begin a.wide.test. A as x
  pass 35ms
  expect sent 2 to 192.0.2.5
  pass 10ms
  expect sent 4 to 192.0.2.5
  expect counter bound_glueless 0
  finish x
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect counter bound_glueless 1
  expect sent 4 to 192.0.2.5

story: addresses of neighbours are fetched one at a time
  server 192.0.2.3 zone test.
    repeat 6 wide.test. NS ns{}.victim.test.
    victim.test. NS ns.victim.test.
    ns.victim.test. A 192.0.2.5
  server 192.0.2.5 zone victim.test.
    repeat 6 ns{}.victim.test. TXT here
  begin a.wide.test. A as x
  pass 35ms
  expect sent 1 to 192.0.2.5
  pass 10ms
  expect sent 2 to 192.0.2.5
  finish x
  expect SERVFAIL
  expect sent 4 to 192.0.2.5

story: four delegations without any address are followed for one question
  server 192.0.2.2 zone example.
    repeat 5 ns.h{}.example. A 192.0.2.16
  server 192.0.2.3 zone test.
    repeat 5 h{}.test. NS ns.h{}.example.
  server 192.0.2.16 zone h2.test.
    www.h2.test. CNAME www.h3.test.
  server 192.0.2.16 zone h3.test.
    www.h3.test. CNAME www.h4.test.
  server 192.0.2.16 zone h4.test.
    www.h4.test. CNAME www.h5.test.
  server 192.0.2.16 zone h5.test.
    www.h5.test. A 192.0.2.92
  ask www.h2.test. A
  expect NOERROR
  expect answer www.h5.test. A 192.0.2.92
  expect counter bound_glueless 0

story: five delegations without any address are not
  server 192.0.2.2 zone example.
    repeat 5 ns.h{}.example. A 192.0.2.16
  server 192.0.2.3 zone test.
    repeat 5 h{}.test. NS ns.h{}.example.
  server 192.0.2.16 zone h1.test.
    www.h1.test. CNAME www.h2.test.
  server 192.0.2.16 zone h2.test.
    www.h2.test. CNAME www.h3.test.
  server 192.0.2.16 zone h3.test.
    www.h3.test. CNAME www.h4.test.
  server 192.0.2.16 zone h4.test.
    www.h4.test. CNAME www.h5.test.
  server 192.0.2.16 zone h5.test.
    www.h5.test. A 192.0.2.92
  ask www.h1.test. A
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect counter bound_glueless 1

story: addresses of eight name servers are fetched for one question
  server 192.0.2.3 zone test.
    repeat 6 top.test. NS m{}.z{}.test.
    repeat 6 z1.test. NS a{}.victim.test.
    repeat 6 z2.test. NS b{}.victim.test.
    repeat 6 z3.test. NS c{}.victim.test.
    victim.test. NS ns.victim.test.
    ns.victim.test. A 192.0.2.5
  server 192.0.2.5 zone victim.test.
    repeat 6 a{}.victim.test. TXT here
    repeat 6 b{}.victim.test. TXT here
    repeat 6 c{}.victim.test. TXT here
  ask a.top.test. A
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect counter bound_glueless >= 1
  expect sent 6 to 192.0.2.5

story: three name servers that cannot be found are enough
  server 192.0.2.3 zone test.
    repeat 6 lost.test. NS ns{}.none{}.test.
  ask a.lost.test. A
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect counter bound_glueless 1
  expect seen 192.0.2.3 none3.test.
  expect unseen 192.0.2.3 none4.test.

story: a stranger's network is told the same two hundred times a second by default
  config limits {}
  begin www.example. A times 300 from 198.51.100.7 as flood
  expect counter rcode_refused 200
  expect counter responses_limited 100

story: a flood of strangers is limited for fifteen seconds after its end by default
  config limits {queries: off}
  begin www.example. A times 9000 from 198.51.100.7 as flood
  expect counter responses_limited 8800
  pass 14s
  ask www.example. A from 198.51.100.7
  expect counter responses_limited 8801
  pass 2s
  ask www.example. A from 198.51.100.7
  expect REFUSED
  expect counter responses_limited 8801

story: a client asks a thousand times a second by default, and two thousand times at once
  config limits {}
  ask www.example. A from 10.0.0.7
  begin www.example. A times 2100 from 10.0.0.7 as flood
  expect counter queries_limited 100

story: a failure is remembered for five seconds, then ten, twenty, and thirty at most
  config prefetch off
  on 192.0.2.2 rcode SERVFAIL
  ask www.example. A
  pass 4s
  ask www.example. A
  expect ede 13
  expect sent 0
  pass 1s
  ask www.example. A
  expect sent >= 1
  pass 9s
  ask www.example. A
  expect sent 0
  pass 1s
  ask www.example. A
  expect sent >= 1
  pass 19s
  ask www.example. A
  expect sent 0
  pass 1s
  ask www.example. A
  expect sent >= 1
  pass 29s
  ask www.example. A
  expect sent 0
  pass 1s
  ask www.example. A
  expect sent >= 1
  expect counter failure_hits 4
