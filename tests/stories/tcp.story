# Truncation and TCP to upstreams.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  two.test. NS ns1.two.test.
  two.test. NS ns2.two.test.
  ns1.two.test. A 192.0.2.3
  ns2.two.test. A 192.0.2.4
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  repeat 40 big.example. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{}
  repeat 100 many.example. A 192.0.2.{}
server 192.0.2.3 zone two.test.
  www.two.test. A 192.0.2.81
server 192.0.2.4 zone two.test.
  www.two.test. A 192.0.2.81

story: a truncated response is fetched again over TCP
  ask big.example. TXT +tcp
  expect NOERROR
  expect answer has 40
  expect sent 1 tcp

story: a truncated response is never an answer
  on 192.0.2.2 udp name www.example. truncate
  on 192.0.2.2 tcp unreachable
  ask www.example. A
  expect SERVFAIL
  expect ede

story: a server that answers over TCP only is used
  on 192.0.2.2 udp truncate
  ask www.example. A
  expect NOERROR
  expect answer www.example. A 192.0.2.80

story: a server that truncates and refuses TCP is replaced by the next
  on 192.0.2.3 udp truncate
  on 192.0.2.3 tcp unreachable
  ask www.two.test. A
  expect NOERROR
  expect took <= 500ms

story: a server that truncates and is silent on TCP is replaced by the next
  on 192.0.2.3 udp truncate
  on 192.0.2.3 tcp silent
  ask www.two.test. A
  expect NOERROR
  expect took <= 4.5s

story: a server that truncates and is silent on TCP alone fails in time
  on 192.0.2.2 udp truncate
  on 192.0.2.2 tcp silent
  ask www.example. A
  expect SERVFAIL
  expect took <= 4.5s
  expect sent <= 4 to 192.0.2.2

story: a truncated response over TCP is no answer for ever
  on 192.0.2.2 truncate
  ask www.example. A
  expect sent <= 6

story: a hundred addresses come whole
  ask many.example. A +tcp
  expect answer has 100
