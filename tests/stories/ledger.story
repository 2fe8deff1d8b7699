# What one client query may cost at most (NXNS, CAMP, iDNS, TsuNAME, NRDelegation).
server 192.0.2.1 zone .
  evil.test. NS ns.evil.test.
  ns.evil.test. A 192.0.2.66
  victim.test. NS ns.victim.test.
  ns.victim.test. A 192.0.2.5
  other.test. NS ns.other.test.
  ns.other.test. A 192.0.2.6
server 192.0.2.5 zone victim.test.
  www.victim.test. A 192.0.2.80
server 192.0.2.6 zone other.test.
  repeat 40 c{}.other.test. CNAME d{}.evil.test.
  a.other.test. NS ns.b.evil.test.
server 192.0.2.66 zone evil.test.
  repeat 10 ten.evil.test. NS ns{}.victim.test.
  repeat 50 fifty.evil.test. NS ns{}.victim.test.
  repeat 200 two.evil.test. NS ns{}.victim.test.
  repeat 40 d{}.evil.test. CNAME c{+1}.other.test.
  repeat 12 f{}.evil.test. CNAME x.g{}.evil.test.
  repeat 20 g1.evil.test. NS n{}.victim.test.
  repeat 13 self.evil.test. NS ns{}.self.evil.test.
  b.evil.test. NS ns.a.other.test.
  repeat 200 dead.evil.test. NS ns{}.dead.evil.test.
  repeat 200 ns{}.dead.evil.test. A 198.51.100.{}
  camp.evil.test. CNAME x.camp1.evil.test.
  repeat 6 camp1.evil.test. NS p{}.camp2.evil.test.
  repeat 6 camp2.evil.test. NS q{}.camp3.evil.test.
  repeat 6 camp3.evil.test. NS r{}.camp4.evil.test.
  repeat 6 camp4.evil.test. NS s{}.camp5.evil.test.
  repeat 6 camp5.evil.test. NS t{}.victim.test.

story: ten name servers at a victim cost a known tree at most five queries and three at the victim
  ask www.victim.test. A
  ask evil.test. A
  ask a.ten.evil.test. A
  expect SERVFAIL
  expect sent <= 5
  expect sent <= 3 to 192.0.2.5

story: fifty name servers at a victim cost no more
  ask www.victim.test. A
  ask evil.test. A
  ask a.fifty.evil.test. A
  expect SERVFAIL
  expect sent <= 5
  expect sent <= 3 to 192.0.2.5

story: two hundred name servers at a victim cost no more
  ask www.victim.test. A
  ask evil.test. A
  ask a.two.evil.test. A
  expect SERVFAIL
  expect sent <= 5
  expect sent <= 3 to 192.0.2.5

story: names of name servers below one that a victim denies cost it three queries
  server 192.0.2.66 zone evil.test.
    repeat 10 low.evil.test. NS ns{}.a.b.victim.test.
  ask www.victim.test. A
  ask evil.test. A
  ask a.low.evil.test. A
  expect SERVFAIL
  expect sent <= 4
  expect sent <= 3 to 192.0.2.5

story: aliases with long names into wide delegations whose servers all exist cost at most twenty queries
  server 192.0.2.6 zone other.test.
    *.other.test. A 192.0.2.67
  server 192.0.2.66 zone evil.test.
    repeat 10 h1.evil.test. NS n{}.p1.other.test.
    repeat 10 h2.evil.test. NS n{}.p2.other.test.
    repeat 10 h3.evil.test. NS n{}.p3.other.test.
    repeat 10 h4.evil.test. NS n{}.p4.other.test.
    repeat 10 h5.evil.test. NS n{}.p5.other.test.
  server 192.0.2.67 zone h1.evil.test.
    www.a.b.c.d.e.f.g.h.h1.evil.test. CNAME www.a.b.c.d.e.f.g.h.h2.evil.test.
  server 192.0.2.67 zone h2.evil.test.
    www.a.b.c.d.e.f.g.h.h2.evil.test. CNAME www.a.b.c.d.e.f.g.h.h3.evil.test.
  server 192.0.2.67 zone h3.evil.test.
    www.a.b.c.d.e.f.g.h.h3.evil.test. CNAME www.a.b.c.d.e.f.g.h.h4.evil.test.
  server 192.0.2.67 zone h4.evil.test.
    www.a.b.c.d.e.f.g.h.h4.evil.test. CNAME www.a.b.c.d.e.f.g.h.h5.evil.test.
  ask x.other.test. A
  ask evil.test. A
  ask www.a.b.c.d.e.f.g.h.h1.evil.test. A
  expect SERVFAIL
  expect ede 0 too many name servers without address
  expect sent <= 20

story: a server that refers to itself for every label is believed twice
  on 192.0.2.66 name d.evil.test. reply
    authority d.evil.test. NS ns.d.evil.test.
    additional ns.d.evil.test. A 192.0.2.66
  on 192.0.2.66 name c.d.evil.test. reply
    authority c.d.evil.test. NS ns.c.d.evil.test.
    additional ns.c.d.evil.test. A 192.0.2.66
  on 192.0.2.66 name b.c.d.evil.test. reply
    authority b.c.d.evil.test. NS ns.b.c.d.evil.test.
    additional ns.b.c.d.evil.test. A 192.0.2.66
  on 192.0.2.66 name a.b.c.d.evil.test. reply
    authority a.b.c.d.evil.test. NS ns.a.b.c.d.evil.test.
    additional ns.a.b.c.d.evil.test. A 192.0.2.66
  on 192.0.2.66 name z.a.b.c.d.evil.test. reply
    authority z.a.b.c.d.evil.test. NS ns.z.a.b.c.d.evil.test.
    additional ns.z.a.b.c.d.evil.test. A 192.0.2.66
  ask evil.test. A
  ask z.a.b.c.d.evil.test. A
  expect SERVFAIL
  expect ede 22
  expect sent <= 4

story: zones that two servers share are found although one of them refers to itself
  server 192.0.2.67 zone c.d.evil.test.
    www.c.d.evil.test. A 192.0.2.90
  on 192.0.2.66 name d.evil.test. reply
    authority d.evil.test. NS ns.d.evil.test.
    additional ns.d.evil.test. A 192.0.2.66
  on 192.0.2.66 name c.d.evil.test. reply
    authority c.d.evil.test. NS ns.c.d.evil.test.
    additional ns.c.d.evil.test. A 192.0.2.66
    additional ns.c.d.evil.test. A 192.0.2.67
  on 192.0.2.66 name www.c.d.evil.test. reply
    authority c.d.evil.test. NS ns.c.d.evil.test.
    additional ns.c.d.evil.test. A 192.0.2.66
  ask www.c.d.evil.test. A
  expect NOERROR
  expect answer www.c.d.evil.test. A 192.0.2.90

story: a composition of aliases and name servers costs at most twenty queries and eight at the victim
  ask camp.evil.test. A
  expect SERVFAIL
  expect sent <= 20
  expect sent <= 8 to 192.0.2.5

story: aliases into wide delegations cost at most twenty queries
  ask f1.evil.test. A
  expect SERVFAIL
  expect sent <= 20
  expect sent <= 8 to 192.0.2.5

story: an endless chain over two zones ends at eleven aliases
  ask c1.other.test. A
  expect SERVFAIL
  expect ede 0 alias
  expect counter bound_aliases 1
  expect sent <= 15

story: two zones that need each other cost at most four queries and twenty milliseconds more than their answers
  ask x.a.other.test. A
  expect SERVFAIL
  expect took <= 60ms
  expect sent <= 5

story: two hundred repeats of a cyclic question cost nothing
  ask x.a.other.test. A
  mark
  repeat 200 ask x.a.other.test. A
  expect SERVFAIL
  expect sent 0

story: a delegation of two hundred dead servers is answered within 4.5 seconds
  ask a.dead.evil.test. A
  expect SERVFAIL
  expect took <= 4.5s
  expect sent <= 40

story: a cycle of three zones ends as soon as one of two
  server 192.0.2.66 zone evil.test.
    one.evil.test. NS ns.two.evil.test.
    two.evil.test. NS ns.three.evil.test.
    three.evil.test. NS ns.one.evil.test.
  ask www.one.evil.test. A
  expect SERVFAIL
  expect took <= 100ms
  expect sent <= 6

story: an endless depth of delegations costs at most six queries
  server 192.0.2.66 zone evil.test.
    d1.evil.test. NS ns.d2.evil.test.
    d2.evil.test. NS ns.d3.evil.test.
    d3.evil.test. NS ns.d4.evil.test.
    d4.evil.test. NS ns.d5.evil.test.
    d5.evil.test. NS ns.d6.evil.test.
    d6.evil.test. NS ns.d7.evil.test.
    d7.evil.test. NS ns.d8.evil.test.
  ask www.d1.evil.test. A
  expect SERVFAIL
  expect sent <= 7
  expect counter bound_depth >= 1

story: another client's work is not charged for an attack
  begin a.two.evil.test. A as bad
  begin www.victim.test. A as good
  finish good
  expect NOERROR
  finish bad

story: large responses spend the octets of one question, and that ends it although few queries were sent
  on 192.0.2.66 udp truncate
  on 192.0.2.66 tcp name l1.evil.test. reply aa
    answer l1.evil.test. CNAME l2.evil.test.
    repeat 250 additional x{}.evil.test. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  on 192.0.2.66 tcp name l2.evil.test. reply aa
    answer l2.evil.test. CNAME l3.evil.test.
    repeat 250 additional x{}.evil.test. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  on 192.0.2.66 tcp name l3.evil.test. reply aa
    answer l3.evil.test. CNAME l4.evil.test.
    repeat 250 additional x{}.evil.test. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  ask l1.evil.test. A
  expect SERVFAIL
  expect ede 0 octets
  expect counter bound_bytes 1
  expect sent <= 8
