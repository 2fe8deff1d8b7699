# What cannot be resolved, how soon that is said, and for how long it is remembered (RFC 9520).
server 192.0.2.1 zone .
  example. NS ns1.example.
  example. NS ns2.example.
  ns1.example. A 192.0.2.2
  ns2.example. A 192.0.2.3
  test. NS ns.test.
  ns.test. A 192.0.2.4
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
server 192.0.2.3 zone example.
  www.example. A 192.0.2.80
server 192.0.2.4 zone test.
  www.test. A 192.0.2.81

story: a dead zone is SERVFAIL with EDE 22 within 4.5 seconds
  down 192.0.2.2
  down 192.0.2.3
  ask www.example. A
  expect SERVFAIL
  expect ede 22
  expect took <= 4.5s
  pass 8s
  expect sent <= 3 to 192.0.2.2
  expect sent <= 3 to 192.0.2.3

story: a failure is remembered for five seconds
  on 192.0.2.2 rcode SERVFAIL
  on 192.0.2.3 rcode SERVFAIL
  ask www.example. A
  expect SERVFAIL
  pass 4s
  ask www.example. A
  expect SERVFAIL
  expect ede 13
  expect sent 0
  expect counter failure_hits 1

story: after five seconds the question is asked again
  on 192.0.2.2 rcode SERVFAIL
  on 192.0.2.3 rcode SERVFAIL
  ask www.example. A
  obey 192.0.2.2
  pass 6s
  ask www.example. A
  expect NOERROR

story: a failure that goes on is remembered longer but not for more than thirty seconds
  on 192.0.2.2 rcode SERVFAIL
  on 192.0.2.3 rcode SERVFAIL
  ask www.example. A
  pass 6s
  ask www.example. A
  expect sent >= 1
  pass 6s
  ask www.example. A
  expect sent 0
  pass 31s
  ask www.example. A
  expect sent >= 1
  pass 31s
  ask www.example. A
  expect sent >= 1

story: a failure of one type does not hide another
  on 192.0.2.2 type MX rcode SERVFAIL
  on 192.0.2.3 type MX rcode SERVFAIL
  ask www.example. MX
  expect SERVFAIL
  ask www.example. A
  expect NOERROR

story: one server that fails is made good by the other
  on 192.0.2.2 rcode SERVFAIL
  ask www.example. A
  expect NOERROR
  expect took <= 200ms

story: one server that refuses is made good by the other
  on 192.0.2.2 rcode REFUSED
  ask www.example. A
  expect NOERROR
  ask www.example. MX
  ask www.example. TXT
  ask www.example. AAAA
  expect sent <= 1 to 192.0.2.2

story: a server that refused is asked last for thirty seconds and then again
  on 192.0.2.2 rcode REFUSED
  on 192.0.2.3 rcode REFUSED
  ask www.example. A
  expect SERVFAIL
  obey 192.0.2.2
  obey 192.0.2.3
  pass 6s
  ask www.example. A
  expect NOERROR

story: a server without authority and without answer is lame
  on 192.0.2.2 reply
  on 192.0.2.3 reply
  ask www.example. A
  expect SERVFAIL
  expect ede 22
  expect counter upstream_lame >= 2

story: a lame server is passed over for the good one
  on 192.0.2.2 reply
  ask www.example. A
  expect NOERROR
  expect took <= 200ms

story: a referral upward is refused
  on 192.0.2.2 reply
    authority . NS a.root.test.
  on 192.0.2.3 reply
    authority . NS a.root.test.
  ask www.example. A
  expect SERVFAIL
  expect counter upstream_bad_referral >= 2
  expect sent <= 6

story: a referral to the zone itself is refused
  on 192.0.2.2 reply
    authority example. NS ns1.example.
    additional ns1.example. A 192.0.2.2
  on 192.0.2.3 reply
    authority example. NS ns1.example.
    additional ns1.example. A 192.0.2.2
  ask www.example. A
  expect SERVFAIL
  expect sent <= 6

story: a referral sideways is refused
  on 192.0.2.2 reply
    authority test. NS ns.evil.test.
    additional ns.evil.test. A 192.0.2.66
  on 192.0.2.3 reply
    authority test. NS ns.evil.test.
    additional ns.evil.test. A 192.0.2.66
  ask www.example. A
  expect SERVFAIL
  expect counter upstream_bad_referral >= 2
  ask www.test. A
  expect answer www.test. A 192.0.2.81

story: a server that cannot be reached is given up at once
  on 192.0.2.2 unreachable
  on 192.0.2.3 unreachable
  ask www.example. A
  expect SERVFAIL
  expect ede 23
  expect took <= 500ms

story: an endless line of referrals ends at thirty-two
  config minimisation off
  server 192.0.2.4 zone test.
  on 192.0.2.4 name 1.2.3.4.5.6.7.8.9.test. reply
    authority 9.test. NS ns.test.
    additional ns.test. A 192.0.2.4
  ask 1.2.3.4.5.6.7.8.9.test. A
  expect SERVFAIL
  expect sent <= 10

story: a name server that refers a delegation to itself for ever costs at most six queries
  server 192.0.2.4 zone test.
    loop.test. NS ns.loop.test.
    ns.loop.test. A 192.0.2.4
  ask a.b.c.d.loop.test. A
  expect SERVFAIL
  expect sent <= 6

story: a client's deadline holds even when servers drip answers of no use
  on 192.0.2.2 rcode SERVFAIL
  on 192.0.2.3 silent
  ask www.example. A
  expect SERVFAIL
  expect took <= 4.5s

story: refused by all is told with the RCODE in the text
  on 192.0.2.2 rcode REFUSED
  on 192.0.2.3 rcode REFUSED
  ask www.example. A
  expect ede 22 REFUSED
