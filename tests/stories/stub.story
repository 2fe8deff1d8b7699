# Zones whose authoritative servers the operator names.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
server 192.0.2.40 zone lab.test.
  www.lab.test. A 192.0.2.90
  sub.lab.test. NS ns.sub.lab.test.
  ns.sub.lab.test. A 192.0.2.41
server 192.0.2.41 zone sub.lab.test.
  www.sub.lab.test. A 192.0.2.91
stub lab.test. 192.0.2.40

story: a stub zone's servers are asked without the root
  ask www.lab.test. A
  expect NOERROR
  expect answer www.lab.test. A 192.0.2.90
  expect sent 1

story: a delegation below a stub zone is followed
  ask www.sub.lab.test. A
  expect answer www.sub.lab.test. A 192.0.2.91
  expect sent 0 to 192.0.2.1
  ask mail.sub.lab.test. A
  expect NXDOMAIN
  expect sent 1 to 192.0.2.41

story: names outside the stub zone start at the root
  ask www.example. A
  expect sent 0 to 192.0.2.40

story: a stub zone's servers are asked though their network is denied
  config denied 192.0.2.40/32
  ask www.lab.test. A
  expect NOERROR

story: a dead stub server is SERVFAIL in time
  down 192.0.2.40
  ask www.lab.test. A
  expect SERVFAIL
  expect took <= 4.5s
