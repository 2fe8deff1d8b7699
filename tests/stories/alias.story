# CNAME and DNAME.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  www.example. 600 CNAME web.example.
  web.example. 300 A 192.0.2.80
  far.example. CNAME www.test.
  gone.example. CNAME none.test.
  nodata.example. CNAME www.test.
  old.example. DNAME new.example.
  a.new.example. A 192.0.2.81
  away.example. DNAME test.
  one.example. CNAME two.example.
  two.example. CNAME one.example.
  self.example. CNAME self.example.
  ping.example. CNAME pong.test.
  repeat 30 c{}.example. CNAME c{+1}.example.
  repeat 40 d{}.example. CNAME d{}.test.
  long.example. DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.dddddddddddddddddddddddddddddddd.test.
server 192.0.2.3 zone test.
  www.test. A 192.0.2.90
  x.test. A 192.0.2.91
  pong.test. CNAME ping.example.
  repeat 40 d{}.test. CNAME d{+1}.example.

story: an alias within the zone comes with its target in one query
  ask www.example. A
  expect NOERROR
  expect answer www.example. 600 CNAME web.example.
  expect answer web.example. 300 A 192.0.2.80
  expect answer has 2
  expect sent 2

story: an alias into another zone is followed there
  ask far.example. A
  expect NOERROR
  expect answer far.example. CNAME www.test.
  expect answer www.test. A 192.0.2.90
  expect sent 4

story: each part of a chain is cached on its own
  ask far.example. A
  ask www.test. A
  expect NOERROR
  expect sent 0

story: a chain with a known middle asks only for the rest
  ask x.test. A
  ask far.example. A
  expect NOERROR
  pass 1s
  ask gone.example. A
  expect sent 2

story: an alias to a name that does not exist is NXDOMAIN with the alias in the answer
  ask gone.example. A
  expect NXDOMAIN
  expect answer gone.example. CNAME none.test.
  expect authority test. SOA

story: an alias to a name without the type is NODATA with the alias in the answer
  ask nodata.example. AAAA
  expect NOERROR
  expect answer nodata.example. CNAME www.test.
  expect answer has 1
  expect authority test. SOA

story: the alias itself is the answer where CNAME is asked
  ask www.example. CNAME
  expect NOERROR
  expect answer www.example. CNAME web.example.
  expect answer has 1
  expect sent 2

story: the TTLs of a cached chain run down each on its own
  ask www.example. A
  pass 100s
  ask www.example. A
  expect answer www.example. 500 CNAME web.example.
  expect answer web.example. 200 A 192.0.2.80

story: an expired end of a chain is fetched anew and the alias is not
  config stale off
  ask www.example. A
  pass 301s
  ask www.example. A
  expect NOERROR
  expect answer web.example. A 192.0.2.80
  expect answer www.example. 299 CNAME web.example.

story: a DNAME renames the names below it
  ask a.old.example. A
  expect NOERROR
  expect answer old.example. DNAME new.example.
  expect answer a.old.example. CNAME a.new.example.
  expect answer a.new.example. A 192.0.2.81

story: a DNAME into another zone is followed there
  ask x.away.example. A
  expect NOERROR
  expect answer x.test. A 192.0.2.91

story: a known DNAME answers for other names below it without asking its zone
  ask x.away.example. A
  ask www.away.example. A
  expect NOERROR
  expect answer www.away.example. CNAME www.test.
  expect answer www.test. A 192.0.2.90
  expect sent 0 to 192.0.2.2

story: the CNAME that a known DNAME makes answers the question for it, whatever its target
  ask a.old.example. A
  ask none.old.example. CNAME
  expect NOERROR
  expect answer old.example. DNAME new.example.
  expect answer none.old.example. CNAME none.new.example.
  expect answer has 2
  expect sent 0

story: the first question for the CNAME that a DNAME makes is answered like the next
  ask none.old.example. CNAME
  expect NOERROR
  expect answer old.example. DNAME new.example.
  expect answer none.old.example. CNAME none.new.example.
  expect answer has 2
  ask none.old.example. CNAME
  expect answer old.example. DNAME new.example.
  expect answer none.old.example. CNAME none.new.example.
  expect answer has 2
  expect sent 0

story: a DNAME does not rename its own owner
  ask old.example. A
  expect NOERROR
  expect answer empty
  ask old.example. DNAME
  expect answer old.example. DNAME new.example.

story: a DNAME that makes too long a name is YXDOMAIN
  ask eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.long.example. A
  expect YXDOMAIN
  expect answer long.example. DNAME

story: an alias to itself ends with SERVFAIL after two queries
  ask self.example. A
  expect SERVFAIL
  expect ede 0 alias
  expect sent <= 2

story: two aliases in a ring that one answer shows end after two queries
  ask one.example. A
  expect SERVFAIL
  expect ede 0 alias
  expect sent <= 2
  expect counter bound_aliases 1

story: a ring over two zones ends within eleven queries
  ask ping.example. A
  expect SERVFAIL
  expect sent <= 11

story: a chain of thirty aliases in one answer ends after two queries
  ask c1.example. A
  expect SERVFAIL
  expect ede 0 alias
  expect sent <= 2

story: an endless chain over two zones costs one query for each of its eleven aliases
  ask x.test. A
  ask ping.example. CNAME
  ask d1.example. A
  expect SERVFAIL
  expect ede 0 alias
  expect sent 11
  expect counter bound_aliases 1

story: a chain that one answer shows to its end may have eleven aliases
  server 192.0.2.2 zone example.
    repeat 11 e{}.example. CNAME e{+1}.example.
    e12.example. A 192.0.2.86
  ask e1.example. A
  expect NOERROR
  expect answer e12.example. A 192.0.2.86
  expect answer has 12

story: an endless chain that was given up is not walked again at once
  ask d1.example. A
  expect SERVFAIL
  ask d1.example. A
  expect SERVFAIL
  expect sent 0

story: of forty aliases at one name the first counts
  server 192.0.2.2 zone example.
    repeat 40 many.example. CNAME n{}.example.
    n1.example. A 192.0.2.85
  on 192.0.2.2 name many.example. reply aa
    answer many.example. CNAME n1.example.
    answer many.example. CNAME n2.example.
    answer many.example. CNAME n3.example.
  ask many.example. A
  expect NOERROR
  expect answer many.example. CNAME n1.example.
  expect no answer many.example. CNAME n2.example.
  expect answer n1.example. A 192.0.2.85

story: a target outside the zone is not believed from the alias's server
  on 192.0.2.2 name far.example. reply aa
    answer far.example. CNAME www.test.
    answer www.test. A 203.0.113.66
  ask far.example. A
  expect NOERROR
  expect answer www.test. A 192.0.2.90
  expect no answer www.test. A 203.0.113.66
  expect counter scrubbed >= 1

story: a DNAME above the zone is not believed
  on 192.0.2.2 name a.example. add
    answer . DNAME evil.test.
    answer a.example. CNAME a.example.evil.test.
  ask a.example. A
  pass 1s
  ask www.test. A
  expect NOERROR
  expect answer www.test. A 192.0.2.90
