# Our own zones beside recursion: what others' aliases lead to in them is answered by them, never asked for.
own ours.example.
  www.ours.example. 60 A 192.0.2.7
  alias.ours.example. 60 CNAME www.ours.example.
  out.ours.example. 60 CNAME www.test.
  back.ours.example. 60 CNAME back.test.
  ring.ours.example. 60 CNAME ring.test.
  sub.ours.example. NS ns.sub.ours.example.
  ns.sub.ours.example. A 192.0.2.5
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  test. NS ns.test.
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  ours.example. NS ns.ours.example.
  ns.ours.example. A 192.0.2.4
  in.example. 300 CNAME www.ours.example.
server 192.0.2.3 zone test.
  www.test. A 192.0.2.80
  in.test. 300 CNAME www.ours.example.
  none.test. 300 CNAME none.ours.example.
  through.test. 300 CNAME out.ours.example.
  back.test. 300 CNAME alias.ours.example.
  ring.test. 300 CNAME ring.ours.example.
  down.test. 300 CNAME www.sub.ours.example.
  old.test. 300 DNAME ours.example.
server 192.0.2.4 zone ours.example.
  www.ours.example. A 203.0.113.66
  none.ours.example. A 203.0.113.66
  sub.ours.example. NS ns.sub.ours.example.
  ns.sub.ours.example. A 192.0.2.5
server 192.0.2.5 zone sub.ours.example.
  www.sub.ours.example. A 192.0.2.85

story: an alias of others into our own zone is answered by it
  ask in.test. A
  expect NOERROR !aa
  expect answer in.test. 300 CNAME www.ours.example.
  expect answer www.ours.example. 60 A 192.0.2.7
  expect answer has 2
  expect sent 0 to 192.0.2.4
  pass 10s
  ask in.test. A
  expect answer in.test. 290 CNAME www.ours.example.
  expect answer www.ours.example. 60 A 192.0.2.7
  expect sent 0

story: what our own zone denies at an alias's end is not there
  ask none.test. A
  expect NXDOMAIN !aa
  expect answer none.test. CNAME none.ours.example.
  expect answer has 1
  expect authority ours.example. SOA
  expect sent 0 to 192.0.2.4
  ask in.test. MX
  expect NOERROR
  expect answer has 1
  expect authority ours.example. SOA

story: an alias from our zone through others back into it is answered by it
  ask back.ours.example. A
  expect NOERROR aa
  expect answer back.ours.example. CNAME back.test.
  expect answer back.test. CNAME alias.ours.example.
  expect answer alias.ours.example. CNAME www.ours.example.
  expect answer www.ours.example. A 192.0.2.7
  expect answer has 4
  expect sent 0 to 192.0.2.4

story: an alias of others through our zone and out again is followed to its end
  ask through.test. A
  expect NOERROR !aa
  expect answer through.test. CNAME out.ours.example.
  expect answer out.ours.example. CNAME www.test.
  expect answer www.test. A 192.0.2.80
  expect answer has 3

story: a ring through our zone and others ends with the aliases that one question may have
  ask ring.test. A
  expect SERVFAIL
  expect ede 0 alias
  expect counter bound_aliases 1
  expect sent <= 13

story: what the parent's server says of our names beside its alias is not believed
  on 192.0.2.2 name in.example. add
    answer www.ours.example. A 203.0.113.66
  ask in.example. A
  expect NOERROR
  expect answer www.ours.example. A 192.0.2.7
  expect answer has 2
  ask in.example. A
  expect answer www.ours.example. A 192.0.2.7
  expect answer has 2
  expect sent 0

story: an alias to a name that our zone has delegated is followed there
  ask down.test. A
  expect NOERROR
  expect answer down.test. CNAME www.sub.ours.example.
  expect answer www.sub.ours.example. A 192.0.2.85
  expect answer has 2

story: a DNAME of others into our own zone is answered by it
  ask www.old.test. A
  expect NOERROR
  expect answer old.test. DNAME ours.example.
  expect answer www.old.test. CNAME www.ours.example.
  expect answer www.ours.example. A 192.0.2.7
  expect sent 0 to 192.0.2.4

story: everybody who waits for an alias into our zone is answered
  begin in.test. A times 50 as crowd
  finish crowd
  expect answered 50
  expect answer www.ours.example. A 192.0.2.7
  expect sent <= 3

story: a forwarder's alias into our own zone is answered by it
  forward test. 192.0.2.3
  ask in.test. A
  expect NOERROR
  expect answer www.ours.example. A 192.0.2.7
