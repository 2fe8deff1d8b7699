# What is not there (RFC 2308, RFC 8020).
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  example. 7200 SOA ns.example. admin.example. 1 7200 3600 1209600 900
  www.example. A 192.0.2.80
  alias.example. CNAME none.example.
  day.example. A 192.0.2.81

story: NXDOMAIN is kept for the least of the SOA's TTL and minimum
  ask none.example. A
  expect NXDOMAIN
  expect authority example. 900 SOA ns.example. admin.example. 1 7200 3600 1209600 900
  pass 300s
  ask none.example. A
  expect NXDOMAIN
  expect authority ttl 600
  expect sent 0

story: NXDOMAIN holds for every type of the name
  ask none.example. A
  ask none.example. MX
  expect NXDOMAIN
  expect sent 0

story: a top-level domain that does not exist is asked for once
  ask a.none. A
  expect NXDOMAIN
  expect authority . SOA
  expect sent 1
  ask b.none. MX
  expect NXDOMAIN
  expect sent 0

story: below a name that does not exist one query is enough
  ask none.example. A
  ask deep.below.none.example. A
  expect NXDOMAIN
  expect sent 1

story: NODATA holds for its type only
  ask www.example. MX
  expect NOERROR
  ask www.example. MX
  expect sent 0
  ask www.example. A
  expect answer www.example. A 192.0.2.80
  expect sent 1

story: a negative answer ends with its TTL
  config stale off
  ask none.example. A
  pass 900s
  ask none.example. A
  expect NXDOMAIN
  expect sent 1

story: a negative TTL is at most an hour
  server 192.0.2.2 zone example.
    example. 86400 SOA ns.example. admin.example. 1 7200 3600 1209600 86400
  ask none.example. A
  expect authority ttl 3600

story: a SOA with minimum 0 is used once and not kept
  server 192.0.2.2 zone example.
    example. 7200 SOA ns.example. admin.example. 1 7200 3600 1209600 0
  ask none.example. A
  expect NXDOMAIN
  ask none.example. A
  expect NXDOMAIN
  expect sent >= 1

story: NXDOMAIN without SOA is given and not kept
  on 192.0.2.2 name none.example. reply aa NXDOMAIN
  ask none.example. A
  expect NXDOMAIN
  expect authority empty
  ask none.example. A
  expect sent 1

story: a name that comes into being is found after the negative TTL
  config stale off
  ask new.example. A
  expect NXDOMAIN
  server 192.0.2.2 zone example.
    new.example. A 192.0.2.82
  pass 900s
  ask new.example. A
  expect answer new.example. A 192.0.2.82

story: an alias at whose end nothing is, is remembered whole
  ask alias.example. A
  expect NXDOMAIN
  ask alias.example. A
  expect NXDOMAIN
  expect answer alias.example. CNAME none.example.
  expect sent 0

story: a SOA from outside the zone makes no negative answer
  on 192.0.2.2 name none.example. reply aa NXDOMAIN
    authority test. 3600 SOA ns.test. admin.test. 1 7200 3600 1209600 3600
  ask none.example. A
  expect NXDOMAIN
  expect authority empty

story: silence never becomes a negative answer
  ask www.example. A
  down 192.0.2.2
  ask other.example. A
  expect SERVFAIL
  expect ede 22
  up all
  pass 31s
  ask other.example. A
  expect NXDOMAIN
  ask www.example. A
  expect NOERROR

story: SERVFAIL never becomes a negative answer
  on 192.0.2.2 first 2 rcode SERVFAIL
  ask www.example. A
  expect SERVFAIL
  pass 31s
  ask www.example. A
  expect NOERROR

story: the proofs of a denial go to those who want DNSSEC records only
  server 192.0.2.2 zone example.
    example. 7200 SOA ns.example. admin.example. 1 7200 3600 1209600 900
    www.example. A 192.0.2.80
    example. NSEC www.example.
  ask none.example. A +do
  expect NXDOMAIN
  expect authority example. NSEC
  ask none.example. A
  expect NXDOMAIN
  expect no authority example. NSEC
