# What is popular is renewed before it expires.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. 300 A 192.0.2.80
  brief.example. 9 A 192.0.2.81

story: a name asked twice is renewed in the last tenth of its TTL
  ask www.example. A
  ask www.example. A
  ask www.example. A
  pass 275s
  ask www.example. A
  expect answer www.example. 25 A 192.0.2.80
  pass 1s
  expect sent 1
  expect counter prefetches 1
  pass 30s
  ask www.example. A
  expect answer ttl >= 260
  expect sent 0

story: the client that causes a prefetch does not wait for it
  ask www.example. A
  ask www.example. A
  rtt all 300ms
  pass 280s
  ask www.example. A
  expect took <= 1ms

story: many queries in the window cause one prefetch
  ask www.example. A
  ask www.example. A
  pass 280s
  mark
  ask www.example. A
  begin www.example. A times 50 as crowd
  finish crowd
  pass 1s
  expect counter prefetches 1

story: a name asked once is not renewed
  ask www.example. A
  pass 280s
  ask www.example. A
  pass 1s
  expect counter prefetches 0

story: before the window nothing is renewed
  ask www.example. A
  ask www.example. A
  ask www.example. A
  pass 200s
  ask www.example. A
  pass 1s
  expect counter prefetches 0

story: a TTL below ten seconds is not worth a prefetch
  ask brief.example. A
  ask brief.example. A
  ask brief.example. A
  pass 8.5s
  ask brief.example. A
  pass 100ms
  expect counter prefetches 0

story: a failed prefetch leaves the data as they are
  ask www.example. A
  ask www.example. A
  pass 280s
  down all
  ask www.example. A
  pass 8s
  ask www.example. A
  expect answer www.example. 12 A 192.0.2.80
