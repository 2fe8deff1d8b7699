# QNAME minimisation (RFC 9156): a server sees no more of a name than it needs.
server 192.0.2.1 zone .
  test. NS ns.test.
  ns.test. A 192.0.2.2
server 192.0.2.2 zone test.
  corp.test. NS ns.corp.test.
  ns.corp.test. A 192.0.2.3
  a.b.c.d.test. A 192.0.2.70
server 192.0.2.3 zone corp.test.
  secret.corp.test. A 192.0.2.71
  x.y.corp.test. MX 10 mx.test.

story: the root sees one label of the name
  ask secret.corp.test. A
  expect NOERROR
  expect seen 192.0.2.1 test. A
  expect unseen 192.0.2.1 corp.test.
  expect unseen 192.0.2.1 secret.corp.test.
  expect unseen 192.0.2.2 secret.corp.test.
  expect sent 3

story: the type is hidden as well as the name
  ask x.y.corp.test. MX
  expect NOERROR
  expect answer x.y.corp.test. MX 10 mx.test.
  expect unseen 192.0.2.1 test. MX
  expect seen 192.0.2.3 y.corp.test. A
  expect seen 192.0.2.3 x.y.corp.test. MX

story: empty non-terminals are passed one by one
  ask a.b.c.d.test. A
  expect NOERROR
  expect seen 192.0.2.2 d.test. A
  expect seen 192.0.2.2 c.d.test. A
  expect sent 5

story: an empty non-terminal that is known is not asked again
  ask a.b.c.d.test. A
  ask z.b.c.d.test. A
  expect NXDOMAIN
  expect sent 1

story: a name of a hundred labels costs at most six steps and the last
  ask 1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.wild.test. A
  expect NXDOMAIN
  expect sent <= 8

story: a long existing chain of labels costs at most eight queries
  server 192.0.2.2 zone test.
    *.wild.test. A 192.0.2.72
    1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.test. A 192.0.2.73
  ask 1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.test. A
  expect NOERROR
  expect sent <= 8

story: a server that denies an empty non-terminal is asked for the whole name when relaxed
  on 192.0.2.2 name d.test. rcode NXDOMAIN
  ask a.b.c.d.test. A
  expect NOERROR
  expect answer a.b.c.d.test. A 192.0.2.70

story: a lying NXDOMAIN for an empty non-terminal is not remembered
  on 192.0.2.2 name d.test. type A reply aa NXDOMAIN
    authority test. 300 SOA ns.test. admin.test. 1 7200 3600 1209600 300
  ask a.b.c.d.test. A
  expect NOERROR
  ask d.test. TXT
  expect NOERROR

story: when strict an NXDOMAIN for a shortened name is final
  config minimisation strict
  ask a.b.none.test. A
  expect NXDOMAIN
  expect sent 2
  expect unseen 192.0.2.2 a.b.none.test.

story: when relaxed an NXDOMAIN for a shortened name is checked with the whole name
  ask a.b.none.test. A
  expect NXDOMAIN
  expect seen 192.0.2.2 a.b.none.test. A
  expect sent 3

story: when off every server sees the whole name
  config minimisation off
  ask secret.corp.test. A
  expect NOERROR
  expect seen 192.0.2.1 secret.corp.test. A
  expect sent 3

story: a server that refuses a shortened name is asked for the whole one
  on 192.0.2.3 name y.corp.test. rcode REFUSED
  ask x.y.corp.test. MX
  expect NOERROR
  expect answer x.y.corp.test. MX 10 mx.test.

story: a server that fails on a shortened name is asked for the whole one
  on 192.0.2.3 name y.corp.test. rcode SERVFAIL
  ask x.y.corp.test. MX
  expect NOERROR

story: an alias in the middle of a name does not lead the walk astray
  server 192.0.2.2 zone test.
    mid.test. CNAME other.test.
    leaf.mid.test. A 192.0.2.75
    other.test. A 192.0.2.76
  ask leaf.mid.test. A
  expect NOERROR
  expect answer leaf.mid.test. A 192.0.2.75

story: the steps of a chain of aliases are those of one name
  server 192.0.2.2 zone test.
    a.b.c.d.e.f.g.h.one.test. CNAME a.b.c.d.e.f.g.h.two.test.
    a.b.c.d.e.f.g.h.two.test. CNAME a.b.c.d.e.f.g.h.three.test.
    a.b.c.d.e.f.g.h.three.test. CNAME a.b.c.d.e.f.g.h.four.test.
    a.b.c.d.e.f.g.h.four.test. A 192.0.2.77
  ask a.b.c.d.e.f.g.h.one.test. TXT
  expect NOERROR
  expect sent <= 16
