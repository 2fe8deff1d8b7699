# DNS cookies and letter case: what makes a forged answer recognisable (RFC 7873, 0x20).
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  mail.example. A 192.0.2.81
  more.example. A 192.0.2.82

story: a server's cookie comes back to it with the next query
  cookies 192.0.2.2
  ask www.example. A
  expect sent 0 servercookie
  ask mail.example. A
  expect sent 1 servercookie

story: from a server with cookies an answer without one is thrown away
  cookies 192.0.2.2
  ask www.example. A
  on 192.0.2.2 udp junk no-cookie
  ask mail.example. A
  expect NOERROR
  expect answer mail.example. A 192.0.2.81
  expect answer has 1
  expect counter upstream_junk >= 1

story: an answer with another cookie is thrown away
  cookies 192.0.2.2
  on 192.0.2.2 udp name www.example. junk wrong-cookie
  ask www.example. A
  expect answer www.example. A 192.0.2.80
  expect answer has 1

story: BADCOOKIE is answered with the right cookie
  cookies 192.0.2.2
  on 192.0.2.2 badcookie
  ask www.example. A
  expect NOERROR
  expect sent 2 to 192.0.2.2
  ask mail.example. A
  expect NOERROR
  expect sent 1

story: BADCOOKIE for ever ends
  cookies 192.0.2.2
  on 192.0.2.2 rcode BADCOOKIE
  ask www.example. A
  expect SERVFAIL
  expect sent <= 3 to 192.0.2.2

story: a server that no cookie pleases is asked over TCP
  cookies 192.0.2.2
  on 192.0.2.2 udp rcode BADCOOKIE
  ask www.example. A
  expect NOERROR
  expect sent 2 to 192.0.2.2 udp
  expect sent 1 to 192.0.2.2 tcp

story: an answer with flipped letters is thrown away
  on 192.0.2.2 udp name www.example. junk flipped-case
  ask www.example. A
  expect answer www.example. A 192.0.2.80
  expect answer has 1
  expect counter upstream_junk 1

story: a server that folds letters is asked over TCP and remembered
  on 192.0.2.2 fold
  ask www.example. A
  expect NOERROR
  expect sent 1 tcp
  ask mail.example. A
  expect NOERROR
  expect sent <= 2
  ask more.example. A
  expect NOERROR
  expect sent 1

story: a server that folds letters and refuses TCP still answers
  on 192.0.2.2 udp fold
  on 192.0.2.2 tcp unreachable
  ask www.example. A
  expect NOERROR
  expect took <= 1s

story: with 0x20 off a server that folds letters costs nothing
  config case off
  on 192.0.2.2 fold
  ask www.example. A
  expect NOERROR
  expect sent 2
  expect sent 0 tcp

story: a server that stops sending cookies is believed over TCP and then again over UDP
  cookies 192.0.2.2
  ask www.example. A
  server 192.0.2.2 zone example.
    mail.example. A 192.0.2.81
    more.example. A 192.0.2.82
  on 192.0.2.2 plain
  ask mail.example. A
  expect NOERROR
  ask more.example. A
  expect NOERROR
  expect sent 1

story: a truncated response without a cookie says nothing about the server's cookies
  cookies 192.0.2.2
  on 192.0.2.2 udp first 1 truncate
  on 192.0.2.2 tcp unreachable
  ask www.example. A
  expect NOERROR
  ask mail.example. A
  expect NOERROR
  expect sent 1 servercookie
