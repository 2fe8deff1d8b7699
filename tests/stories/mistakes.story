# Mistakes that hit several servers in 2025 and 2026, named after their class. docs/reliability.md has them all.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
server 192.0.2.3 zone test.
  www.test. A 192.0.2.81

story: no new beginning of a question resets its account
  server 192.0.2.3 zone test.
    alias.test. CNAME www.sub.fan.test.
    repeat 13 fan.test. NS ns{}.fan.test.
    repeat 13 ns{}.fan.test. A 198.51.100.{}
    repeat 13 ns{}.fan.test. AAAA 2001:db8::{}
  repeat 13 server 198.51.100.{} zone fan.test.
  repeat 13 server 2001:db8::{} zone fan.test.
  repeat 13 on 198.51.100.{} rcode SERVFAIL
  repeat 13 on 2001:db8::{} rcode SERVFAIL
  ask alias.test. A
  expect SERVFAIL
  expect ede 0 too many upstream queries
  expect sent 64
  expect counter bound_queries 1
  pass 10s
  expect sent 64

story: an outage that lets a question begin anew gives nobody a second account
  down all
  begin www.example. A as one
  pass 1s
  begin www.example. A times 20 as crowd
  finish all
  pass 10s
  expect sent <= 64

story: a referral that is cut in the middle teaches nothing
  server 192.0.2.2 zone example.
    sub.example. NS ns.sub.example.
    ns.sub.example. A 192.0.2.4
  server 192.0.2.4 zone sub.example.
    www.sub.example. A 192.0.2.84
  on 192.0.2.2 udp truncate
  ask www.sub.example. A
  expect NOERROR
  expect answer www.sub.example. A 192.0.2.84
  expect sent 1 to 192.0.2.2 tcp

story: forged referrals with a wrong id lead nowhere
  server 192.0.2.2 zone example.
    sub.example. NS ns.sub.example.
    ns.sub.example. A 192.0.2.4
  server 192.0.2.4 zone sub.example.
    www.sub.example. A 192.0.2.84
  on 192.0.2.2 udp junk wrong-id-100
  ask www.sub.example. A
  expect NOERROR
  expect answer www.sub.example. A 192.0.2.84
  expect counter upstream_junk >= 1
  expect sent 1 to 192.0.2.2 tcp

story: clients of different subnets share one fetch, and no upstream hears of any
  repeat 100 begin www.example. A +option=8:000118000a{byte}00
  finish all
  expect sent 2
  expect counter coalesced 99

story: an answer fetched for one subnet is given to all, as its scope is everybody
  ask www.example. A +option=8:00012000c0000201
  ask www.example. A +option=8:0001000000
  expect NOERROR
  expect answer www.example. A 192.0.2.80
  expect sent 0
  ask www.example. A
  expect sent 0

story: glue of all zeros is not asked and makes nothing be forgotten
  config denied default
  server 198.41.0.4 zone .
    example. NS ns1.example.
    example. NS ns2.example.
    ns1.example. A 198.41.0.5
    ns2.example. A 198.41.0.5
    zero.test. NS ns1.zero.test.
    zero.test. NS ns2.zero.test.
    ns1.zero.test. A 0.0.0.0
    ns1.zero.test. A 255.255.255.255
    ns2.zero.test. AAAA ::
    ns2.zero.test. AAAA ::ffff:0.0.0.0
  server 198.41.0.5 zone example.
    www.example. A 192.0.2.80
  server 0.0.0.0 zone zero.test.
    www.zero.test. A 192.0.2.90
  server :: zone zero.test.
    www.zero.test. A 192.0.2.90
  down 192.0.2.1
  ask www.example. A
  expect NOERROR
  ask www.zero.test. A
  expect SERVFAIL
  expect ede 22 no server has an address
  expect sent 0 to 0.0.0.0
  expect sent 0 to ::
  ask www.example. A
  expect NOERROR
  expect sent 0

story: NOTIFY over TCP forgets nothing
  ask www.example. A
  ask example. SOA +opcode=4 +tcp
  expect NOTIMP
  ask www.example. SOA +opcode=4 +tcp from 192.0.2.2
  expect NOTIMP
  ask www.example. A +tcp
  expect NOERROR
  expect sent 0

story: two hundred name servers with one address between them are one server
  server 192.0.2.3 zone test.
    repeat 200 huge.test. NS ns{}.huge.test.
    repeat 200 ns{}.huge.test. A 192.0.2.9
  server 192.0.2.9 zone huge.test.
  down 192.0.2.9
  ask www.huge.test. A
  expect SERVFAIL
  expect sent 3 to 192.0.2.9

story: name servers that point to those who refer to them end the search
  server 192.0.2.3 zone test.
    repeat 13 self.test. NS ns{}.self.test.
    repeat 13 ns{}.self.test. A 192.0.2.3
    repeat 13 ns{}.self.test. A 192.0.2.1
  ask a.b.c.self.test. A
  expect SERVFAIL
  expect counter upstream_bad_referral >= 1
  expect sent <= 6

story: a stranger learns nothing from any link of the chain
  hosts 192.0.2.7 router.example
  ask www.example. A
  ask www.example. A from 203.0.113.9
  expect REFUSED !ra
  expect ede 18
  expect answer empty
  ask router.example. A from 203.0.113.9
  expect REFUSED
  expect answer empty
  ask localhost. A from 203.0.113.9
  expect REFUSED
  expect answer empty
  ask 7.2.0.192.in-addr.arpa. PTR from 203.0.113.9
  expect REFUSED
  ask www.example. ANY from 203.0.113.9
  expect REFUSED
  expect answer empty
  ask example. AXFR from 203.0.113.9
  expect REFUSED
  ask www.example. A +class=3 from 203.0.113.9
  expect REFUSED
  ask 10.in-addr.arpa. SOA from 203.0.113.9
  expect REFUSED
  expect authority empty
  expect sent 0

story: what a list of denied networks says is said before anything else
  config limits {deny: [203.0.113.0/24]}
  hosts 192.0.2.7 router.example
  ask router.example. A from 203.0.113.9
  expect silence
  ask router.example. A +tcp from 203.0.113.9
  expect silence
  expect counter silence_denied 2

story: without forwarding no name is asked for to find loops
  ask www.example. A
  pass 1h
  expect sent ever 2
  expect seen 192.0.2.1 example. A
  expect seen 192.0.2.2 www.example. A

story: over TCP too a response or half a query is never answered
  ask www.example. A +qr +tcp
  expect silence
  ask www.example. A +tc +tcp
  expect silence
  expect counter silence_response 2

story: a response that says it is a query is passed over
  on 192.0.2.2 udp junk not-a-response
  ask www.example. A
  expect NOERROR
  expect answer www.example. A 192.0.2.80
  expect counter upstream_junk 1

story: an alias that cannot be read is SERVFAIL with EDE 24
  server 192.0.2.2 zone example.
    bad.example. CNAME \# 05616263
    web.example. CNAME bad.example.
  ask bad.example. A
  expect SERVFAIL
  expect ede 24
  ask web.example. A
  expect SERVFAIL
  expect ede 24
  ask bad.example. CNAME
  expect SERVFAIL
  expect ede 24

story: a response that cannot be read does not end the wait for one that can
  on 192.0.2.2 name www.example. type A first 1 reply aa
    answer www.example. CNAME \# 05616263
  ask www.example. A
  expect NOERROR
  expect answer www.example. A
