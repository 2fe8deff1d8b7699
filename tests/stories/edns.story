# Servers and EDNS.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  mail.example. A 192.0.2.81
  more.example. A 192.0.2.82

story: a server that answers EDNS with FORMERR is asked without
  on 192.0.2.2 edns rcode FORMERR
  ask www.example. A
  expect NOERROR
  expect sent 1 noedns to 192.0.2.2

story: a bare FORMERR header to EDNS is understood as well
  on 192.0.2.2 edns rcode FORMERR bare
  ask www.example. A
  expect NOERROR
  expect sent 1 noedns to 192.0.2.2

story: a server that answers EDNS with NOTIMP is asked without
  on 192.0.2.2 edns rcode NOTIMP
  ask www.example. A
  expect NOERROR

story: that a server lacks EDNS is remembered
  on 192.0.2.2 edns rcode FORMERR
  ask www.example. A
  ask mail.example. A
  expect NOERROR
  expect sent 1
  expect sent 1 noedns

story: after a quarter of an hour EDNS is tried again
  on 192.0.2.2 edns rcode FORMERR
  ask www.example. A
  obey 192.0.2.2
  pass 16m
  ask mail.example. A
  expect sent 1 edns

story: a server that drops queries with EDNS is found in time
  on 192.0.2.2 edns silent
  ask www.example. A
  expect NOERROR
  expect took <= 4.5s
  expect answer www.example. A 192.0.2.80

story: that a server drops EDNS is remembered when it has been seen twice
  on 192.0.2.2 edns silent
  ask www.example. A
  ask more.example. A
  ask mail.example. A
  expect NOERROR
  expect took <= 100ms

story: a server that answers without OPT is understood
  on 192.0.2.2 plain
  ask www.example. A
  expect NOERROR
  expect sent 2

story: every query asks for signatures and takes 1232 octets
  ask www.example. A
  expect sent 2 edns

story: a server whose first answers were lost keeps EDNS
  on 192.0.2.2 first 2 silent
  ask www.example. A
  expect NOERROR
  ask mail.example. A
  expect sent 1 edns
