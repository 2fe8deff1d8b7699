# What no server may teach (promiscuous NS, sideways answers, ghosts, MaginotDNS).
server 192.0.2.1 zone .
  example. 86400 NS ns.example.
  ns.example. 86400 A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
  evil. 30 NS ns.evil.
  ns.evil. 30 A 192.0.2.66
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
server 192.0.2.3 zone test.
  www.test. A 192.0.2.81
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.66 zone evil.
  www.evil. 86400 A 192.0.2.99
  evil. 86400 NS ns.evil.
  ns.evil. 86400 A 192.0.2.66
  sub.evil. 86400 NS ns.evil.
  long.evil. 86400 A 192.0.2.98
server 203.0.113.66 zone test.
  www.test. A 203.0.113.66
server 192.0.2.53 zone evil.
  www.evil. A 192.0.2.99

story: name servers of another zone in an answer are not believed
  on 192.0.2.66 name www.evil. add
    authority test. NS ns.attacker.evil.
    additional ns.attacker.evil. A 203.0.113.66
    additional ns.test. A 203.0.113.66
  ask www.evil. A
  ask www.test. A
  expect answer www.test. A 192.0.2.81
  expect sent 0 to 203.0.113.66

story: glue for a name outside the zone leads nowhere
  on 192.0.2.66 name sub.evil. reply
    authority sub.evil. NS ns.test.
    additional ns.test. A 203.0.113.66
  ask x.sub.evil. A
  pass 1s
  ask www.test. A
  expect answer www.test. A 192.0.2.81
  ask ns.test. A
  expect answer ns.test. A 192.0.2.3
  expect sent 0 to 203.0.113.66

story: glue is never an answer to a client
  ask www.example. A
  ask ns.example. A
  expect NXDOMAIN
  expect sent 1

story: an NS set in the authority section of an answer does not replace the delegation
  on 192.0.2.66 name www.evil. add
    authority evil. 86400 NS ns.attacker.evil.
    additional ns.attacker.evil. A 203.0.113.66
  ask www.evil. A
  ask long.evil. A
  expect answer long.evil. A 192.0.2.98
  expect sent 0 to 203.0.113.66

story: a revoked zone is not kept alive by asking its servers
  config stale off
  ask www.evil. A
  server 192.0.2.1 zone .
    test. NS ns.test.
    ns.test. A 192.0.2.3
  repeat 29 ask q{}.evil. A
  ask evil. NS
  ask ns.evil. A
  pass 31s
  ask x1.evil. A
  expect NXDOMAIN
  expect sent 0 to 192.0.2.66

story: a revoked zone is not kept alive by its NS records
  config stale off
  ask evil. NS
  expect NOERROR
  expect answer ttl <= 30
  server 192.0.2.1 zone .
    test. NS ns.test.
    ns.test. A 192.0.2.3
  pass 15s
  ask evil. NS
  ask ns.evil. A
  pass 16s
  ask y1.evil. A
  expect NXDOMAIN
  expect sent 0 to 192.0.2.66

story: a revoked zone is not kept alive by a zone below it
  config stale off
  ask a.sub.evil. A
  server 192.0.2.1 zone .
    test. NS ns.test.
    ns.test. A 192.0.2.3
  pass 15s
  ask b.sub.evil. A
  pass 16s
  ask c.sub.evil. A
  expect sent 0 to 192.0.2.66

story: a revoked zone is not kept alive by a referral of its own server
  config stale off
  on 192.0.2.66 name z.sub.evil. reply
    authority evil. 86400 NS ns.evil.
    additional ns.evil. 86400 A 192.0.2.66
  ask www.evil. A
  server 192.0.2.1 zone .
    test. NS ns.test.
    ns.test. A 192.0.2.3
  pass 20s
  ask z.sub.evil. A
  pass 11s
  ask x2.evil. A
  expect sent 0 to 192.0.2.66

story: a forwarder is believed for its own zone only
  forward evil. 192.0.2.53
  on 192.0.2.53 reply
    answer www.evil. A 192.0.2.99
    answer www.test. A 203.0.113.66
    authority test. NS ns.attacker.evil.
    authority . NS ns.attacker.evil.
    additional ns.attacker.evil. A 203.0.113.66
    additional ns.test. A 203.0.113.66
  ask www.evil. A
  expect answer www.evil. A 192.0.2.99
  expect answer has 1
  ask www.test. A
  expect answer www.test. A 192.0.2.81
  ask test. NS
  expect answer test. NS ns.test.
  expect no answer test. NS ns.attacker.evil.

story: a forwarder's alias into another zone is followed by ourselves
  forward evil. 192.0.2.53
  on 192.0.2.53 reply
    answer www.evil. CNAME www.test.
    answer www.test. A 203.0.113.66
  ask www.evil. A
  expect answer www.evil. CNAME www.test.
  expect answer www.test. A 192.0.2.81

story: records of the wrong class are passed over
  ask www.test. A
  expect answer has 1

story: a DNAME for a zone above is not believed
  on 192.0.2.66 name www.evil. add
    answer test. DNAME evil.
    authority test. DNAME evil.
  ask www.evil. A
  ask www.test. A
  expect answer www.test. A 192.0.2.81

story: an answer for another name is not believed
  on 192.0.2.66 name www.evil. add
    answer long.evil. 86400 A 203.0.113.66
  ask www.evil. A
  expect answer has 1
  ask long.evil. A
  expect answer long.evil. A 192.0.2.98
