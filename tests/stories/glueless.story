# Delegations whose servers have no address yet.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  out.example. NS dns.test.
  six.example. NS six.test.
  two.example. NS none.test.
  two.example. NS dns.test.
  dead.example. NS none1.test.
  dead.example. NS none2.test.
  dead.example. NS none3.test.
  dead.example. NS none4.test.
  self.example. NS ns.self.example.
  loop.example. NS ns.ring.test.
  sib.example. NS ns.sibling.example.
  ns.sibling.example. A 192.0.2.6
  sibling.example. NS ns.sibling.example.
  repeat 50 wide.example. NS ns{}.victim.test.
  short.example. NS brief.test.
server 192.0.2.3 zone test.
  dns.test. A 192.0.2.4
  brief.test. 0 A 192.0.2.4
  six.test. AAAA 2001:db8::4
  ring.test. NS ns.loop.example.
  victim.test. NS ns.victim.test.
  ns.victim.test. A 192.0.2.5
server 192.0.2.4 zone out.example.
  www.out.example. A 192.0.2.80
server 192.0.2.4 zone two.example.
  www.two.example. A 192.0.2.81
server 192.0.2.4 zone short.example.
  www.short.example. A 192.0.2.85
server 192.0.2.5 zone victim.test.
server 192.0.2.6 zone sib.example.
  www.sib.example. A 192.0.2.82
server 2001:db8::4 zone six.example.
  www.six.example. A 192.0.2.83

story: a name server without glue is looked up
  ask www.out.example. A
  expect NOERROR
  expect answer www.out.example. A 192.0.2.80
  expect sent <= 6

story: a looked-up address is remembered for the next name
  ask www.out.example. A
  ask mail.out.example. A
  expect NXDOMAIN
  expect sent 1

story: a name server without IPv4 is found by its IPv6 address
  ask www.six.example. A
  expect NOERROR
  expect answer www.six.example. A 192.0.2.83

story: one name server that does not exist does not hide the other
  ask www.two.example. A
  expect NOERROR
  expect answer www.two.example. A 192.0.2.81

story: an address with TTL 0 serves the walk that looked it up
  ask www.short.example. A
  expect NOERROR
  expect answer www.short.example. A 192.0.2.85

story: three missing name servers end the search
  ask www.dead.example. A
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect sent <= 8

story: a name server inside its own zone without glue cannot be found and costs nothing
  ask www.self.example. A
  expect SERVFAIL
  expect ede 22
  expect sent 2

story: two zones that name each other's servers end at once
  ask www.loop.example. A
  expect SERVFAIL
  expect took <= 100ms
  expect sent <= 6
  expect counter loops_found >= 1

story: the failure of such a ring is remembered
  ask www.loop.example. A
  ask www.loop.example. A
  expect SERVFAIL
  expect sent 0

story: glue of a sibling zone is used for the delegation that came with it
  ask www.sib.example. A
  expect NOERROR
  expect answer www.sib.example. A 192.0.2.82
  expect sent 3

story: fifty name servers without address cost the victim at most three queries
  ask a.wide.example. A
  expect SERVFAIL
  expect sent <= 3 to 192.0.2.5
  expect sent <= 8

story: another name of the same delegation costs the victim nothing new at first
  ask a.wide.example. A
  mark
  ask b.wide.example. A
  expect SERVFAIL
  expect sent <= 3 to 192.0.2.5

story: the name of a name server is shown whole to the zone that its top-level domain refers to
  server 192.0.2.2 zone example.
    deep.example. NS ns1.a.b.host.test.
    deep.example. NS ns2.a.b.host.test.
  server 192.0.2.3 zone test.
    host.test. NS ns.host.test.
    ns.host.test. A 192.0.2.7
  server 192.0.2.7 zone host.test.
    ns1.a.b.host.test. A 192.0.2.8
    ns2.a.b.host.test. A 192.0.2.8
  server 192.0.2.8 zone deep.example.
    www.deep.example. A 192.0.2.87
  ask www.deep.example. A
  expect NOERROR
  expect unseen 192.0.2.1 ns1.a.b.host.test.
  expect unseen 192.0.2.3 ns1.a.b.host.test.
  expect unseen 192.0.2.7 a.b.host.test.
  expect sent 1 to 192.0.2.7
  expect sent 6

story: name servers that lead to different places are looked up beside each other
  server 192.0.2.2 zone example.
    apart.example. NS ns.victim.test.
    apart.example. NS dns.test.
  server 192.0.2.4 zone apart.example.
    www.apart.example. A 192.0.2.89
  down 192.0.2.5
  ask www.apart.example. A
  expect NOERROR
  expect took <= 450ms

story: a name server's address is taken from the glue of the zone that it stands in
  server 192.0.2.2 zone example.
    near.example. NS ns.victim.test.
  server 192.0.2.5 zone near.example.
    www.near.example. A 192.0.2.91
  ask www.near.example. A
  expect NOERROR
  expect unseen 192.0.2.5 ns.victim.test.
  expect sent 5

story: no client gets glue for an answer
  server 192.0.2.2 zone example.
    near.example. NS ns.victim.test.
  server 192.0.2.5 zone near.example.
    www.near.example. A 192.0.2.91
  server 192.0.2.5 zone victim.test.
    ns.victim.test. A 192.0.2.92
  ask www.near.example. A
  ask ns.victim.test. A
  expect answer ns.victim.test. A 192.0.2.92

story: an address that is found late is asked where the first leads nowhere
  server 192.0.2.2 zone example.
    late.example. NS ns.victim.test.
    late.example. NS dns.late.test.
  server 192.0.2.3 zone test.
    victim.test. NS ns.victim.test.
    ns.victim.test. A 192.0.2.5
    late.test. NS ns.late.test.
    ns.late.test. A 192.0.2.9
  server 192.0.2.9 zone late.test.
    dns.late.test. A 192.0.2.4
  server 192.0.2.4 zone late.example.
    www.late.example. A 192.0.2.90
  down 192.0.2.5
  rtt 192.0.2.9 200ms
  ask www.late.example. A
  expect NOERROR
  expect took <= 1s

story: name servers in a zone whose servers are silent are not looked up one after the other
  server 192.0.2.2 zone example.
    repeat 20 gone.example. NS ns{}.victim.test.
  down 192.0.2.5
  ask www.gone.example. A
  expect SERVFAIL
  expect sent <= 6 to 192.0.2.5
  expect took <= 4s

story: a name server in a zone of its own is looked up although the zone above it is silent
  server 192.0.2.2 zone example.
    repeat 4 mixed.example. NS ns{}.victim.test.
    mixed.example. NS dns.sub.victim.test.
  server 192.0.2.6 zone sub.victim.test.
    dns.sub.victim.test. A 192.0.2.4
  server 192.0.2.5 zone victim.test.
    sub.victim.test. NS ns.sub.victim.test.
    ns.sub.victim.test. A 192.0.2.6
  server 192.0.2.4 zone mixed.example.
    www.mixed.example. A 192.0.2.88
  ask none.sub.victim.test. A
  down 192.0.2.5
  ask www.mixed.example. A
  expect NOERROR
  expect answer www.mixed.example. A 192.0.2.88

story: glue with the address 0.0.0.0 changes nothing but is not asked
  config denied default
  server 198.41.0.4 zone .
    example. NS ns1.example.
    example. NS ns2.example.
    ns1.example. A 0.0.0.0
    ns2.example. A 198.41.0.5
  server 198.41.0.5 zone example.
    www.example. A 192.0.2.80
  down 192.0.2.1
  ask www.example. A
  expect NOERROR
  expect sent 0 to 0.0.0.0
