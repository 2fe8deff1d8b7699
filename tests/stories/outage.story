# When everything is silent at once the fault is ours: recovery is a feature.
server 192.0.2.1 zone .
  example. NS ns1.example.
  example. NS ns2.example.
  ns1.example. A 192.0.2.2
  ns2.example. A 192.0.2.3
  test. NS ns.test.
  ns.test. A 192.0.2.4
server 192.0.2.2 zone example.
  repeat 60 n{}.example. 20 A 192.0.2.80
  www.example. 300 A 192.0.2.80
server 192.0.2.3 zone example.
  repeat 60 n{}.example. 20 A 192.0.2.80
  www.example. 300 A 192.0.2.80
server 192.0.2.4 zone test.
  www.test. 20 A 192.0.2.81

story: after a minute without any server the first query is answered within three seconds
  config stale off
  ask n1.example. A
  ask www.test. A
  down all
  repeat 12 begin n{+1}.example. A
  pass 5s
  repeat 12 begin n{+1}.example. A
  begin www.test. A
  pass 25s
  repeat 12 begin n{+1}.example. A
  pass 30s
  up all
  ask n2.example. A
  expect NOERROR
  expect took <= 3s
  ask www.test. A
  expect NOERROR
  expect took <= 3s
  ask n50.example. A
  expect took <= 1s

story: nothing negative is made of a minute's silence
  config stale off
  ask n1.example. A
  down all
  repeat 12 begin n{+1}.example. A
  pass 60s
  up all
  repeat 12 ask n{+1}.example. A
  expect NOERROR
  ask n13.example. A
  expect NOERROR
  ask n5.example. A
  expect NOERROR
  expect answer n5.example. A 192.0.2.80

story: a query that is under way when the servers return is answered
  ask n1.example. A
  down all
  begin n2.example. A as early
  pass 1s
  up all
  begin n3.example. A as second
  finish early
  expect took <= 4.5s
  finish second
  expect NOERROR
  expect took <= 3s

story: from a cold start without network the first query after it is answered at once
  down all
  ask www.test. A
  expect SERVFAIL
  expect took <= 4.5s
  ask www.example. A
  expect SERVFAIL
  pass 20s
  up all
  ask www.example. A
  expect NOERROR
  expect took <= 3s

story: no failure is remembered from an outage
  ask n1.example. A
  ask www.test. A
  down all
  repeat 6 begin n{+1}.example. A
  begin n20.example. A
  pass 10s
  begin n30.example. A as late
  finish late
  expect SERVFAIL
  up all
  ask n30.example. A
  expect NOERROR
  expect took <= 1s

story: one dead zone is no outage and its failure is remembered
  ask www.test. A
  down 192.0.2.2
  down 192.0.2.3
  ask www.example. A
  expect SERVFAIL
  ask n1.test. A
  expect NXDOMAIN
  pass 2s
  ask www.example. A
  expect SERVFAIL
  expect ede 13
  expect sent 0

story: with the root cut off what lies below known zone cuts is still resolved
  ask n1.example. A
  down 192.0.2.1
  ask n2.example. A
  expect NOERROR
  expect took <= 100ms

story: with one of two servers cut off no query waits long twice
  ask n1.example. A
  ask n2.example. A
  ask n3.example. A
  down 192.0.2.2
  repeat 40 ask n{+1}.example. A
  ask n50.example. A
  expect took <= 500ms
