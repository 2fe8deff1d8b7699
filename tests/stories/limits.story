# Limits: how much anybody gets, and what those hear who get no more. `+cookie=returned` is the last response's cookie.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  repeat 30 n{}.example. A 192.0.2.80

story: over the limit of queries one in slip is told to come over TCP, and the rest is silence
  config limits {queries: {rate: 5/s, burst: 5, slip: 1, exempt: []}, responses: off}
  ask www.example. A
  begin www.example. A times 20 as flood
  expect answered 20
  expect counter queries_limited 16
  expect counter slipped 16
  ask www.example. A
  expect NOERROR tc
  expect answer empty
  expect opt
  expect question
  pass 1s
  ask www.example. A
  expect NOERROR !tc

story: slip 0 tells nobody anything
  config limits {queries: {rate: 5/s, burst: 5, slip: 0, exempt: []}}
  begin www.example. A times 20 as flood
  expect answered 0
  finish flood
  expect answered 5
  expect counter silence_limited 15

story: over TCP the limit is another, and who is over it is refused
  config limits {queries: {rate: 2/s, burst: 2, slip: 1, exempt: []}}
  begin www.example. A times 9
  ask www.example. A +tcp
  expect NOERROR
  ask www.example. A +tcp
  expect NOERROR
  ask www.example. A +tcp
  expect REFUSED

story: loopback is exempt unless said otherwise
  config limits {queries: {rate: 1/s, burst: 1}, responses: {rate: 1/s, exempt_clients: false}}
  begin www.example. A times 30 as flood
  finish flood
  expect answered 30

story: several limits of queries hold at once
  config limits {queries: [{rate: 100/s, exempt: []}, {rate: 6/m, burst: 6, slip: 0, exempt: []}]}
  ask www.example. A
  begin www.example. A times 30 as flood
  expect answered 5
  pass 5s
  ask www.example. A
  expect silence
  pass 6s
  ask www.example. A
  expect NOERROR

story: a dry run of both limits answers everybody and counts whom it would not
  config limits {queries: {rate: 5/s, burst: 5, exempt: [], dry_run: true}, responses: {rate: 2/s, exempt: [], exempt_clients: false, dry_run: true}}
  ask www.example. A
  begin www.example. A times 20 as flood
  expect answered 20
  expect counter queries_would_be_limited 16
  expect counter responses_would_be_limited 19
  expect counter queries_limited 0
  expect counter silence_limited 0

story: who is denied hears nothing
  config limits {deny: [198.51.100.0/24]}
  ask www.example. A from 198.51.100.7
  expect silence
  expect counter silence_denied 1
  ask www.example. A from 127.0.0.1
  expect NOERROR

story: responses to strangers are limited, and a slip of 1 answers all with TC
  config limits {queries: off, responses: {rate: 5/s, slip: 1}}
  begin www.example. A times 30 from 198.51.100.7 as flood
  expect answered 30
  expect counter rcode_refused 5
  expect counter slipped 25
  expect NOERROR tc !aa

story: every limited response slips by default, so that honest clients come over TCP at once
  config limits {responses: {rate: 5/s}}
  begin www.example. A times 105 from 198.51.100.7 as flood
  expect answered 105
  expect counter responses_limited 100
  expect counter slipped 100

story: about half of the limited responses slip where one in two may
  config limits {responses: {rate: 5/s, slip: 2}}
  begin www.example. A times 105 from 198.51.100.7 as flood
  expect answered 40..70
  expect counter responses_limited 100

story: clients allowed recursion are not counted unless said otherwise
  config allow all
  config limits {queries: off, responses: {rate: 1/s}}
  ask www.example. A from 198.51.100.7
  begin www.example. A times 30 from 198.51.100.7 as flood
  expect answered 30

story: a recalled response is limited by name and network, and other names are not
  config allow all
  config limits {queries: off, responses: {rate: 5/s, slip: 1, exempt_clients: false}}
  ask www.example. A from 198.51.100.7
  begin www.example. A times 30 from 198.51.100.7 as flood
  expect counter recalled 29
  expect counter responses_limited 26
  ask n1.example. A from 198.51.100.8
  expect NOERROR !tc
  ask www.example. A from 198.51.101.7
  expect NOERROR !tc
  ask www.example. A +tcp from 198.51.100.7
  expect NOERROR !tc
  expect answer www.example. A 192.0.2.80

story: names that do not exist are limited together
  config allow all
  config limits {queries: off, responses: {rate: 5/s, slip: 1, exempt_clients: false}}
  repeat 5 ask x{}.example. A from 198.51.100.7
  expect NXDOMAIN
  ask x6.example. A from 198.51.100.7
  expect NOERROR tc
  expect counter responses_limited 1
  ask www.example. A from 198.51.100.7
  expect NOERROR !tc

story: a flood is limited for the window after its end and no longer
  config allow all
  config limits {queries: off, responses: {rate: 5/s, slip: 0, window: 10s, exempt_clients: false}}
  ask www.example. A from 198.51.100.7
  begin www.example. A times 500 from 198.51.100.7 as flood
  expect answered 4
  pass 9s
  ask www.example. A from 198.51.100.7
  expect silence
  pass 3s
  ask www.example. A from 198.51.100.7
  expect NOERROR

story: who sends a cookie gets ours, in fresh and in recalled answers
  config limits {queries: off}
  ask www.example. A +cookie=0102030405060708
  expect cookie
  ask www.example. A +cookie=1112131415161718
  expect cookie
  ask www.example. A +cookie=0102030405060708
  expect cookie
  expect counter recalled 1
  ask www.example. A +cookie=returned +option=65001
  expect cookie
  ask www.example. A
  expect no cookie
  expect counter cookies_valid 1

story: a refusal carries the cookie too
  config limits {queries: off}
  ask www.example. A +cookie=0102030405060708 from 198.51.100.7
  expect REFUSED
  expect cookie

story: without cookies the option is not answered
  config limits {cookies: off}
  ask www.example. A +cookie=0102030405060708
  expect NOERROR
  expect no cookie

story: under pressure who has half a cookie is given the other half, never more octets than it sent, and then is not limited
  config allow all
  config limits {queries: off, responses: {rate: 2/s, slip: 1, exempt_clients: false}}
  ask www.example. A from 198.51.100.7
  begin www.example. A times 30 from 198.51.100.7 as flood
  begin www.example. A +cookie=0102030405060708 times 100 from 198.51.100.9 as half
  expect BADCOOKIE !tc
  expect answered 60..90
  expect cookie
  expect answer empty
  ask www.example. A +cookie=returned from 198.51.100.9
  expect NOERROR
  expect answer www.example. A 192.0.2.80

story: a cookie of another address is worth nothing
  config allow all
  config limits {queries: off, responses: {rate: 2/s, slip: 1, exempt_clients: false}}
  ask www.example. A +cookie=0102030405060708 from 198.51.100.9
  begin www.example. A +cookie=returned times 30 from 198.51.100.7 as flood
  expect BADCOOKIE
  expect counter cookies_invalid 30

story: a cookie proves the sender to the limit of queries as well
  config limits {queries: {rate: 2/s, burst: 2, slip: 1, exempt: []}, responses: off}
  ask www.example. A +cookie=0102030405060708
  begin www.example. A times 30 as flood
  ask www.example. A +cookie=0102030405060708 +option=65001:00000000000000000000000000000000
  expect BADCOOKIE
  ask www.example. A +cookie=returned
  expect NOERROR !tc
  ask www.example. A +cookie=returned +option=65001
  expect NOERROR !tc

story: a cookie grows old in an hour
  config limits {queries: off}
  ask www.example. A +cookie=0102030405060708
  pass 61m
  ask www.example. A +cookie=returned
  expect counter cookies_invalid 1
  ask www.example. A +cookie=returned
  expect counter cookies_valid 1

story: a cookie of unlawful length is a malformed query under limits too
  config limits {}
  ask www.example. A +cookie=01020304050607
  expect FORMERR
