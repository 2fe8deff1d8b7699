# What is remembered and for how long.
server 192.0.2.1 zone .
  example. 172800 NS ns.example.
  ns.example. 172800 A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. 300 A 192.0.2.80
  zero.example. 0 A 192.0.2.81
  week.example. 604800 A 192.0.2.82
  huge.example. 2147483648 A 192.0.2.83
  short.example. 5 A 192.0.2.84
  two.example. 300 A 192.0.2.85
  two.example. 100 A 192.0.2.86
  alias.example. 0 CNAME www.example.
  signed.example. A 192.0.2.87
  signed.example. RRSIG A

story: a second query is answered from the cache with the remaining TTL
  ask www.example. A
  pass 60s
  ask www.example. A
  expect NOERROR ra !aa
  expect answer www.example. 240 A 192.0.2.80
  expect sent 0
  expect counter cache_hits 1

story: letter case does not part cache entries
  ask www.example. A
  ask WWW.EXAMPLE. A
  expect sent 0
  expect NOERROR

story: at its TTL a record is fetched anew
  config stale off
  ask www.example. A
  pass 300s
  ask www.example. A
  expect answer www.example. 300 A 192.0.2.80
  expect sent 1

story: one second before its TTL a record is still given
  config prefetch off
  ask www.example. A
  pass 299s
  ask www.example. A
  expect answer www.example. 1 A 192.0.2.80
  expect sent 0

story: TTL 0 is used once and not kept
  ask zero.example. A
  expect answer zero.example. 0 A 192.0.2.81
  ask zero.example. A
  expect answer zero.example. 0 A 192.0.2.81
  expect sent 1

story: an alias with TTL 0 is not kept and its target is
  ask alias.example. A
  expect NOERROR
  ask www.example. A
  expect sent 0
  ask alias.example. A
  expect sent 1

story: no TTL given is greater than a day
  ask week.example. A
  expect answer week.example. 86400 A 192.0.2.82
  pass 1h
  ask week.example. A
  expect answer week.example. 82800 A 192.0.2.82

story: a TTL with its highest bit set counts as 0
  ask huge.example. A
  expect answer huge.example. 0 A 192.0.2.83
  ask huge.example. A
  expect sent 1

story: an RRset with unlike TTLs has the least of them
  ask two.example. A
  expect answer has 2
  expect answer ttl 100

story: a least TTL stretches short ones but not 0
  config min_ttl 60
  ask short.example. A
  expect answer short.example. 60 A 192.0.2.84
  ask zero.example. A
  expect answer zero.example. 0 A 192.0.2.81
  ask zero.example. A
  expect sent 1

story: signatures are given to those who want them and to no other
  ask signed.example. A +do
  expect answer has 2
  expect answer signed.example. RRSIG
  ask signed.example. A
  expect answer has 1
  expect sent 0
  ask signed.example. A +do
  expect answer signed.example. RRSIG
  expect sent 0

story: AD is never set without validation
  ask signed.example. A +do +ad
  expect NOERROR !ad

story: CD is echoed and resolved
  ask www.example. A +cd
  expect NOERROR cd
  expect answer www.example. A 192.0.2.80

story: flushing a name makes the next query go upstream
  ask www.example. A
  flush www.example.
  ask www.example. A
  expect sent 1
  expect answer www.example. 300 A 192.0.2.80

story: flushing a subtree forgets the names below and the zone cut
  ask www.example. A
  flush example. subtree
  ask www.example. A
  expect sent 2

story: RD=0 is answered from the cache and asks nobody
  ask www.example. A
  ask www.example. A +norec
  expect NOERROR
  expect answer www.example. A 192.0.2.80
  expect sent 0

story: RD=0 for what is not cached is refused and asks nobody
  ask www.example. A +norec
  expect REFUSED
  expect ede 20
  expect sent 0

story: expired entries are swept when nobody asks again
  config stale off
  ask short.example. A
  pass 1h
  sweep
  ask short.example. A
  expect NOERROR
  expect sent 1

story: a record that changed is given anew after its TTL
  config stale off
  ask www.example. A
  server 192.0.2.2 zone example.
    www.example. 300 A 192.0.2.99
  pass 100s
  ask www.example. A
  expect answer www.example. A 192.0.2.80
  pass 200s
  ask www.example. A
  expect answer www.example. A 192.0.2.99

story: an RRset of three hundred records is refused and not kept
  server 192.0.2.2 zone example.
    repeat 300 big.example. A 10.0.{hi}.{lo}
    www.example. 300 A 192.0.2.80
  ask big.example. A
  expect SERVFAIL
  expect ede 24
  expect counter bound_records >= 1
  ask www.example. A
  expect NOERROR
