# The root's servers are asked who they are (RFC 9609).
config priming on
server 192.0.2.1 zone .
  . NS a.root.test.
  . NS b.root.test.
  a.root.test. A 192.0.2.1
  b.root.test. A 192.0.2.9
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  mail.example. A 192.0.2.81

story: the first walk from the root asks for the root's servers beside it
  talkative 192.0.2.1
  ask www.example. A
  expect NOERROR
  expect seen 192.0.2.1 . NS
  pass 1s
  expect sent 3

story: priming delays no client
  on 192.0.2.1 name . silent
  ask www.example. A
  expect NOERROR
  expect took <= 100ms

story: after priming the servers that the root named are asked
  on 192.0.2.1 name . reply aa
    answer . 86400 NS b.root.test.
    additional b.root.test. A 192.0.2.9
  server 192.0.2.9 zone test.
  on 192.0.2.9 name net. reply
    authority net. NS ns.net.
    additional ns.net. A 192.0.2.10
  server 192.0.2.10 zone net.
    www.net. A 192.0.2.82
  ask www.example. A
  pass 1s
  ask www.net. A
  expect NOERROR
  expect seen 192.0.2.9 net. A
  expect sent 0 to 192.0.2.1

story: priming falls back to TCP
  on 192.0.2.1 udp name . truncate
  ask www.example. A
  pass 1s
  expect sent ever 1 tcp to 192.0.2.1

story: the root is primed once as long as the answer lives
  on 192.0.2.1 name . reply aa
    answer . 86400 NS a.root.test.
    additional a.root.test. A 192.0.2.1
  ask www.example. A
  pass 1s
  flush example. subtree
  ask www.example. A
  pass 1s
  expect sent 2

story: without an answer to priming the hints are used on
  on 192.0.2.1 name . silent
  ask www.example. A
  pass 10s
  flush example. subtree
  ask www.example. A
  expect NOERROR

story: root servers named without any address do not replace the hints
  server 192.0.2.1 zone .
    . NS a.root.test.
    example. NS ns.example.
    ns.example. A 192.0.2.2
  ask . NS
  expect answer . NS a.root.test.
  ask www.example. A
  expect NOERROR

story: when the root servers that the root named are dead the hints are asked
  on 192.0.2.1 name . reply aa
    answer . 86400 NS b.root.test.
    additional b.root.test. A 192.0.2.99
  ask . NS
  pass 1s
  ask www.example. A
  expect NOERROR
  expect took <= 4.5s
