# Who is served.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80

story: strangers are refused with EDE 18
  ask www.example. A from 203.0.113.9
  expect REFUSED !ra
  expect ede 18
  expect sent 0

story: strangers are not told what is cached
  ask www.example. A
  ask www.example. A from 203.0.113.9
  expect REFUSED
  expect answer empty
  ask www.example. A +norec from 203.0.113.9
  expect REFUSED

story: strangers over IPv6 are refused as well
  ask www.example. A from 2001:db8::9
  expect REFUSED

story: private networks are served
  ask www.example. A from 10.1.2.3
  expect NOERROR ra
  ask www.example. A from fd00::1
  expect NOERROR

story: an open resolver serves whom its operator named
  config allow all
  ask www.example. A from 203.0.113.9
  expect NOERROR

story: RD=0 causes no upstream query
  ask www.example. A +norec
  expect REFUSED
  expect ede 20
  expect sent 0
