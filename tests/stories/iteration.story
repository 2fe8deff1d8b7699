# How the tree is walked.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  www.example. AAAA 2001:db8::80
  a.b.c.example. A 192.0.2.81
  mail.example. MX 10 mx.example.

story: a referral leads to the zone's own servers
  ask www.example. A
  expect NOERROR ra !aa
  expect answer www.example. 3600 A 192.0.2.80
  expect answer has 1
  expect sent 2
  expect sent 1 to 192.0.2.1

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
