# More to resolve than there are places: who gets one, who loses it, and what everybody is told.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
  other. NS ns.other.
  ns.other. A 192.0.2.3
server 192.0.2.2 zone example.
  www.example. 60 A 192.0.2.80
  repeat 40 n{}.example. A 192.0.2.80
server 192.0.2.3 zone other.
  www.other. A 192.0.2.81

story: while all that is being resolved is young, the newest question is refused and told so
  config recursions 4
  down 192.0.2.2
  repeat 4 begin n{}.example. A
  begin www.other. A as newest
  expect SERVFAIL
  expect ede 0 too many questions are being resolved
  expect took <= 1ms
  expect counter recursions_refused 1
  finish all

story: half run to their end, the other half give way to newer questions once they are slow
  config recursions 4
  down 192.0.2.2
  begin n1.example. A as first
  begin n2.example. A as second
  begin n3.example. A as third
  begin n4.example. A as fourth
  pass 250ms
  ask www.other. A
  expect NOERROR
  expect counter recursions_stolen 1
  finish second
  expect SERVFAIL
  expect ede 0 its place was needed
  expect took 0.25
  begin n5.example. A
  begin n6.example. A
  expect counter recursions_stolen 2
  begin n7.example. A as seventh
  expect counter recursions_stolen 2
  expect SERVFAIL
  expect ede 0 too many questions are being resolved
  finish first
  expect took >= 2.6
  finish third
  expect took >= 2.6
  finish fourth
  expect took 0.26..0.28

story: a network with few questions takes a place from the one with most at once, and keeps it
  config recursions 4
  down 192.0.2.2
  begin n1.example. A from 10.1.1.1
  begin n2.example. A from 10.1.1.2
  begin n3.example. A from 10.1.1.3
  begin n4.example. A from 10.1.1.4 as loser
  begin n5.example. A from 10.2.2.2 as honest
  expect waiting
  expect counter recursions_stolen 1
  finish loser
  expect SERVFAIL
  expect took 0
  pass 300ms
  repeat 10 begin n{}0.example. A from 10.1.1.5
  finish honest
  expect took >= 2.6

story: who loses the place gets the stale answer if there is one
  config recursions 2
  ask www.example. A
  pass 2m
  down 192.0.2.2
  begin n1.example. A from 10.1.1.1
  begin www.example. A from 10.1.1.1 as loser
  begin n2.example. A from 10.2.2.2
  finish loser
  expect NOERROR
  expect answer www.example. A 192.0.2.80
  expect ede 3
  expect took 0

story: a question that two networks wait for counts for the lighter one
  config recursions 4
  down 192.0.2.2
  begin n1.example. A from 10.1.1.1
  begin n2.example. A from 10.1.1.1
  begin n3.example. A from 10.1.1.1
  begin n4.example. A from 10.1.1.1
  begin n4.example. A from 10.2.2.2 as shared
  begin n5.example. A from 10.3.3.3
  expect counter recursions_stolen 1
  finish shared
  expect took >= 2.6

story: of a question that is given up nothing more is asked
  config recursions 2
  rtt 192.0.2.2 300ms
  begin n1.example. A from 10.1.1.1
  begin n2.example. A from 10.1.1.1
  pass 100ms
  mark
  begin www.other. A from 10.2.2.2
  pass 1s
  expect unseen 192.0.2.2 n2.example.
  finish all
  expect counter recursions_stolen 1

story: a given-up question whose work another needs goes on for that one
  config recursions 3
  server 192.0.2.3 zone other.
    www.other. A 192.0.2.81
    sub.other. NS n1.example.
  server 192.0.2.80 zone sub.other.
    www.sub.other. A 192.0.2.82
  rtt 192.0.2.2 300ms
  begin www.sub.other. A from 10.2.2.2 as needs
  pass 40ms
  begin www.example. A from 10.1.1.1
  begin n1.example. A from 10.1.1.1 as loser
  begin www.other. A from 10.3.3.3
  finish loser
  finish needs
  expect NOERROR

story: a client has so many queries waiting and no more, and who proves its address is counted apart
  config per_client 2
  down 192.0.2.2
  begin n1.example. A from 10.1.1.1
  begin n2.example. A from 10.1.1.1
  begin n3.example. A from 10.1.1.1 as third
  expect SERVFAIL
  expect ede 0 too many of your queries wait
  expect counter client_crowded 1
  begin n3.example. A from 10.1.1.2 as neighbour
  expect waiting
  begin n3.example. A +tcp from 10.1.1.1 as proven
  expect waiting
  finish all
  begin n4.example. A from 10.1.1.1 as later
  expect waiting

story: a zone has so many questions under way and no more, and others are not concerned
  config per_zone 2
  down 192.0.2.2
  begin n1.example. A
  begin n2.example. A
  begin n3.example. A as third
  finish third
  expect SERVFAIL
  expect ede 0 too many questions about this zone
  expect took <= 30ms
  expect counter zone_crowded 1
  ask www.other. A
  expect NOERROR
  finish all

story: that a zone was crowded is not remembered
  config per_zone 2
  rtt 192.0.2.2 100ms
  begin n1.example. A
  begin n2.example. A
  begin n3.example. A as third
  finish third
  expect SERVFAIL
  finish all
  ask n3.example. A
  expect NOERROR

story: a zone's places are shared fairly among the networks that ask
  config per_zone 4
  rtt 192.0.2.2 1s
  repeat 20 begin n{}.example. A from 10.1.1.1
  pass 50ms
  begin n21.example. A from 10.2.2.2 as honest
  finish honest
  expect NOERROR

story: what was held back leaves no faster than its queries came
  on 192.0.2.2 delay 1s
  begin www.example. A times 20 from 10.1.1.1 as crowd
  pass 100ms
  begin www.example. A times 20 from 10.1.1.1 as crowd
  pass 100ms
  begin www.example. A times 20 from 10.1.1.1 as crowd
  pass 100ms
  begin www.example. A times 20 from 10.1.1.1 as crowd
  pass 100ms
  begin www.example. A times 20 from 10.1.1.1 as crowd
  pass 100ms
  begin www.example. A times 20 from 10.1.1.1 as crowd
  begin www.example. A times 20 +tcp from 10.1.1.1 as proven
  pass 530ms
  expect answered 20
  finish crowd
  expect answered 120
  expect counter responses_paced >= 90
  expect counter silence_paced 0

story: half a span's worth leaves at once
  on 192.0.2.2 delay 1s
  begin www.example. A times 60 from 10.1.1.1 as crowd
  pass 1025ms
  expect answered 30..40
  pass 50ms
  expect answered 60

story: a response that waited through a stall is not believed
  begin www.example. A as first
  stall 10s
  finish first
  expect SERVFAIL
  expect counter bound_time 1
  pass 31s
  ask www.example. A
  expect NOERROR
  expect sent 1 to 192.0.2.1

story: nor is that of a forwarder
  forward example. 192.0.2.2
  begin www.example. A as first
  stall 10s
  finish first
  expect SERVFAIL
  expect counter bound_time 1
