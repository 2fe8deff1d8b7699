# How the tree is walked: from the root, or the deepest zone cut known, down to the zone's own servers.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  www.example. AAAA 2001:db8::80
  a.b.c.example. A 192.0.2.81
  example. MX 10 mx.example.
  mx.example. A 192.0.2.82
  *.wild.example. A 192.0.2.83
  sub.example. NS ns.sub.example.
  sub.example. DS 0001080201020304
  ns.sub.example. A 192.0.2.4
server 192.0.2.3 zone test.
  www.test. A 192.0.2.90
server 192.0.2.4 zone sub.example.
  www.sub.example. A 192.0.2.84
  sub.example. NS ns.sub.example.
  ns.sub.example. A 192.0.2.4

story: a referral leads to the zone's own servers
  ask www.example. A
  expect NOERROR ra !aa
  expect answer www.example. 3600 A 192.0.2.80
  expect answer has 1
  expect sent 2
  expect sent 1 to 192.0.2.1

story: three zone cuts cost three queries
  ask www.sub.example. A
  expect NOERROR
  expect answer www.sub.example. A 192.0.2.84
  expect sent 3

story: the deepest zone cut known is where the next walk begins
  ask www.sub.example. A
  ask mail.sub.example. A
  expect NXDOMAIN
  expect sent 1
  expect sent 1 to 192.0.2.4

story: a name that does not exist is NXDOMAIN with the zone's SOA
  ask none.example. A
  expect NXDOMAIN !aa
  expect authority example. 300 SOA ns.test. admin.test. 1 7200 3600 1209600 300
  expect answer empty

story: a type that does not exist is NODATA with the zone's SOA
  ask www.example. MX
  expect NOERROR
  expect answer empty
  expect authority example. SOA

story: an empty non-terminal is NODATA, not NXDOMAIN
  ask b.c.example. A
  expect NOERROR
  expect answer empty
  expect authority example. SOA

story: a wildcard answers under the name that was asked
  ask any.thing.wild.example. A
  expect NOERROR
  expect answer any.thing.wild.example. A 192.0.2.83

story: the letters of the question come back as they were sent
  ask WwW.ExAmPlE. A
  expect NOERROR
  expect answer www.example. A 192.0.2.80

story: DS records are asked of the parent's servers
  ask sub.example. DS
  expect NOERROR
  expect answer sub.example. DS 0001080201020304
  expect sent 0 to 192.0.2.4
  ask www.sub.example. A
  ask sub.example. DS
  expect NOERROR
  expect sent 0 to 192.0.2.4

story: the apex NS records of a zone are asked of the zone itself
  ask sub.example. NS
  expect NOERROR
  expect answer sub.example. NS ns.sub.example.
  expect sent 1 to 192.0.2.4

story: an unknown type is resolved like any other
  server 192.0.2.2 zone example.
    www.example. TYPE65280 0102ff
  ask www.example. TYPE65280
  expect NOERROR
  expect answer www.example. TYPE65280 0102ff

story: a server that is down is replaced by the next
  server 192.0.2.1 zone .
    example. NS ns1.example.
    example. NS ns2.example.
    ns1.example. A 192.0.2.2
    ns2.example. A 192.0.2.5
  server 192.0.2.5 zone example.
    www.example. A 192.0.2.80
  down 192.0.2.2
  ask www.example. A
  expect NOERROR
  expect took <= 500ms
  expect sent <= 3

story: a broken IPv6 address never makes a zone fail
  server 192.0.2.1 zone .
    example. NS ns.example.
    ns.example. A 192.0.2.2
    ns.example. AAAA 2001:db8::2
  ask www.example. A
  expect NOERROR
  expect took <= 900ms

story: a zone with servers on IPv6 only is resolved over IPv6
  server 192.0.2.1 zone .
    six.test. NS ns.six.test.
    ns.six.test. AAAA 2001:db8::6
  server 2001:db8::6 zone six.test.
    www.six.test. A 192.0.2.66
  ask www.six.test. A
  expect NOERROR
  expect answer www.six.test. A 192.0.2.66

story: with families ipv4 nothing is sent over IPv6
  config families ipv4
  server 192.0.2.1 zone .
    example. NS ns.example.
    ns.example. A 192.0.2.2
    ns.example. AAAA 2001:db8::2
  server 2001:db8::2 zone example.
    www.example. A 192.0.2.99
  ask www.example. A
  expect answer www.example. A 192.0.2.80
  expect sent 0 to 2001:db8::2

story: with families ipv6 nothing is sent over IPv4
  config families ipv6
  server 2001:db8::1 zone .
    example. NS ns.example.
    ns.example. A 192.0.2.2
    ns.example. AAAA 2001:db8::2
  server 2001:db8::2 zone example.
    www.example. A 192.0.2.99
  ask www.example. A
  expect answer www.example. A 192.0.2.99
  expect sent 0 to 192.0.2.2

story: addresses that are denied are never asked
  config denied 192.0.2.2/32
  ask www.example. A
  expect SERVFAIL
  expect sent 0 to 192.0.2.2
  expect ede 22

story: by default no referral leads to loopback or to documentation addresses
  config denied default
  server 198.41.0.4 zone .
    example. NS ns1.example.
    example. NS ns2.example.
    ns1.example. A 127.0.0.1
    ns2.example. A 0.0.0.0
  server 127.0.0.1 zone example.
    www.example. A 192.0.2.80
  server 0.0.0.0 zone example.
    www.example. A 192.0.2.80
  ask www.example. A
  expect SERVFAIL
  expect sent 0 to 127.0.0.1
  expect sent 0 to 0.0.0.0

story: a talkative server's apex NS records cause no further query
  talkative 192.0.2.4
  ask www.sub.example. A
  expect NOERROR
  expect sent 3
  ask mx.sub.example. A
  expect sent 1

story: a zone that moved to other servers is found by asking its parent again
  ask www.sub.example. A
  server 192.0.2.2 zone example.
    sub.example. NS ns.sub.example.
    ns.sub.example. A 192.0.2.5
  server 192.0.2.5 zone sub.example.
    www.sub.example. A 192.0.2.84
    mail.sub.example. A 192.0.2.86
  on 192.0.2.4 rcode REFUSED
  pass 10m
  ask mail.sub.example. A
  expect NOERROR
  expect answer mail.sub.example. A 192.0.2.86
  expect took <= 200ms
  ask www2.sub.example. A
  expect NXDOMAIN
  expect sent 1

story: a zone whose old servers are silent is found by asking its parent again
  ask www.sub.example. A
  server 192.0.2.2 zone example.
    sub.example. NS ns.sub.example.
    ns.sub.example. A 192.0.2.5
  server 192.0.2.5 zone sub.example.
    mail.sub.example. A 192.0.2.86
  down 192.0.2.4
  pass 10m
  ask mail.sub.example. A
  expect NOERROR
  expect took <= 3s

story: asking the parent again does not ask the same dead servers again
  config stale off
  ask www.sub.example. A
  down 192.0.2.4
  pass 10m
  ask mail.sub.example. A
  expect SERVFAIL
  expect took <= 4.5s
  pass 8s
  expect sent <= 3 to 192.0.2.4
  expect sent <= 1 to 192.0.2.2
