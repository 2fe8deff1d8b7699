# Zones handed to other resolvers.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  alias.example. CNAME www.corp.test.
server 192.0.2.53 zone corp.test.
  www.corp.test. A 192.0.2.90
  out.corp.test. CNAME www.example.
  corp.test. NS ns.corp.test.
forward corp.test. 192.0.2.53

story: a name in a forward zone goes to the forwarder
  ask www.corp.test. A
  expect NOERROR ra !aa
  expect answer www.corp.test. A 192.0.2.90
  expect sent 1
  expect counter upstream_forwarded 1

story: a forwarded answer is cached
  ask www.corp.test. A
  ask www.corp.test. A
  expect sent 0

story: a forwarded name that does not exist is NXDOMAIN and cached
  ask none.corp.test. A
  expect NXDOMAIN
  ask none.corp.test. A
  expect NXDOMAIN
  expect sent 0

story: names outside the forward zone are iterated
  ask www.example. A
  expect sent 0 to 192.0.2.53

story: an alias out of the forward zone is iterated
  ask out.corp.test. A
  expect answer www.example. A 192.0.2.80
  expect sent 1 to 192.0.2.53

story: an alias into the forward zone is forwarded
  ask alias.example. A
  expect answer www.corp.test. A 192.0.2.90

story: a silent forwarder is SERVFAIL with EDE 22 in time
  down 192.0.2.53
  ask www.corp.test. A
  expect SERVFAIL
  expect ede 22
  expect took <= 4.5s

story: a forwarder that cannot be reached is SERVFAIL at once
  on 192.0.2.53 unreachable
  ask www.corp.test. A
  expect SERVFAIL
  expect took <= 100ms

story: a forwarder's SERVFAIL is passed on as SERVFAIL
  on 192.0.2.53 rcode SERVFAIL
  ask www.corp.test. A
  expect SERVFAIL

story: the apex of a forward zone is forwarded too
  ask corp.test. NS
  expect answer corp.test. NS ns.corp.test.
  expect sent 1

story: the root of a forward zone of everything takes every name
  forward . 192.0.2.53
  on 192.0.2.53 name www.example. reply
    answer www.example. A 192.0.2.91
  ask www.example. A
  expect answer www.example. A 192.0.2.91
  expect sent 1

story: with everything forwarded special-use names still stay here
  forward . 192.0.2.53
  ask a.localhost. A
  expect answer a.localhost. A 127.0.0.1
  expect sent 0

story: an alias chain of a forwarder is taken whole inside its zone
  forward . 192.0.2.53
  on 192.0.2.53 name a.example. reply
    answer a.example. CNAME b.test.
    answer b.test. A 192.0.2.92
  ask a.example. A
  expect answer b.test. A 192.0.2.92
  expect sent 1
