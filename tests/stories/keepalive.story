# How long their connections are kept, for clients who ask (RFC 7828).
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80

story: who asks over TCP is told how long its connection is kept
  ask www.example. A +tcp +option=11:
  expect NOERROR
  expect keepalive 100
  ask www.example. A +tcp +option=11:
  expect keepalive 100

story: who does not ask is not told
  ask www.example. A +tcp +option=11:
  ask www.example. A +tcp
  expect NOERROR
  expect no keepalive

story: over UDP the option means nothing
  ask www.example. A +option=11:
  expect NOERROR
  expect no keepalive
  ask www.example. A +option=11:0064
  expect NOERROR
  expect no keepalive

story: only responses tell a time
  ask www.example. A +tcp +option=11:0064
  expect FORMERR

story: the time told is what holds now, never longer
  patience 299ms
  ask www.example. A +tcp +option=11:
  expect keepalive 2
  patience 0ms
  ask www.example. A +tcp +option=11:
  expect keepalive 0
  patience 10m
  ask www.example. A +tcp +option=11:
  expect keepalive 6000

story: a late answer tells what holds when it leaves
  rtt 192.0.2.2 1s
  begin www.example. A +tcp +option=11: as late
  pass 300ms
  patience 0ms
  finish late
  expect NOERROR
  expect keepalive 0

story: a failure tells it too
  ask www.example. A +tcp +option=11: +ednsversion=1
  expect BADVERS
  expect keepalive 100
