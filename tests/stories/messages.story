# Odd queries get the RFC's answer or a counted silence.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
  repeat 40 big.example. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{}
  repeat 100 many.example. A 192.0.2.{}
  repeat 60 _web._tcp.example. SRV 0 1 80 h{}.example.
  alias.example. CNAME many.example.
  repeat 8 mid.example. TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{}

story: a response is never answered
  ask www.example. A +qr
  expect silence
  expect counter silence_response 1

story: a query with TC is never answered
  ask www.example. A +tc
  expect silence

story: fewer octets than a header are silence
  send 0001010000
  expect silence
  expect counter silence_short 1

story: a query from port 0 is silence
  ask www.example. A +port=0
  expect silence
  expect counter silence_loop 1

story: an unknown opcode is NOTIMP
  ask www.example. A +opcode=3
  expect NOTIMP
  ask www.example. A +opcode=5
  expect NOTIMP

story: NOTIFY to a resolver is NOTIMP and forgets nothing
  ask www.example. A
  ask example. SOA +opcode=4
  expect NOTIMP
  ask www.example. A
  expect sent 0

story: two questions are FORMERR
  ask www.example. A +twice
  expect FORMERR

story: no question is FORMERR
  ask www.example. A +noquestion
  expect FORMERR

story: a query with an answer in it is FORMERR
  ask www.example. A +withanswer
  expect FORMERR

story: a name that points to itself is FORMERR
  send 0001010000010000000000 00c00c00010001
  expect FORMERR

story: a query that is cut in its question is FORMERR
  send 000101000001000000000000 03777777
  expect FORMERR

story: octets after the last record are FORMERR
  send 000101000001000000000000 0000020001ffff
  expect FORMERR

story: EDNS version 1 is BADVERS with an OPT record
  ask www.example. A +ednsversion=1
  expect BADVERS
  expect opt
  expect answer empty

story: another class is not resolved
  ask www.example. A +class=3
  expect REFUSED
  expect sent 0

story: an unknown EDNS option is passed over
  ask www.example. A +option=65001
  expect NOERROR

story: a cookie of unlawful length is FORMERR
  ask www.example. A +cookie=00112233
  expect FORMERR

story: without EDNS a response has at most 512 octets
  ask mid.example. TXT +noedns
  expect NOERROR tc
  expect size <= 512
  expect no opt

story: with EDNS a response has at most 1232 octets however many were offered
  ask big.example. TXT +bufsize=4096
  expect NOERROR tc
  expect size <= 1232
  expect counter truncated 1

story: a payload size below 512 counts as 512
  ask mid.example. TXT +bufsize=100
  expect NOERROR tc
  ask www.example. A +bufsize=100
  expect NOERROR !tc

story: over TCP the whole answer comes
  ask big.example. TXT +tcp
  expect NOERROR !tc
  expect answer has 40

story: texts go whole or not at all
  ask big.example. TXT +bufsize=1232
  expect answer empty

story: a stub resolver that is deaf to TC gets as many addresses as fit
  ask many.example. A +noedns
  expect NOERROR tc
  expect size <= 512
  expect answer has 30
  ask many.example. A +bufsize=1232
  expect NOERROR tc
  expect size <= 1232
  expect answer has 74
  ask alias.example. A +noedns
  expect NOERROR tc
  expect answer has 29
  ask _web._tcp.example. SRV +noedns
  expect NOERROR tc
  expect answer has 15

story: what was cut is neither remembered nor missing over TCP
  ask many.example. A +noedns
  expect answer has 30
  ask many.example. A +tcp
  expect NOERROR !tc
  expect answer has 100
  ask many.example. A +noedns
  expect answer has 30
  expect sent 0

story: who asks for signatures gets no part of an RRset
  ask many.example. A +do
  expect NOERROR tc
  expect answer empty

story: RD and CD are echoed
  ask www.example. A +cd
  expect NOERROR rd cd
  ask www.example. A +norec
  expect NOERROR !rd

story: the type ANY is answered with HINFO and asks nobody
  ask www.example. ANY
  expect NOERROR
  expect answer www.example. HINFO
  expect sent 0

story: transfers and other types that are no records are not resolved
  ask example. AXFR
  expect REFUSED
  expect ede 20
  ask example. IXFR
  expect REFUSED
  ask www.example. MAILB
  expect NOTIMP
  expect sent ever 0

story: a TXT record whose strings do not fill it is passed on to nobody
  on 192.0.2.2 name www.example. type TXT reply aa
    answer www.example. TXT \# 05616263
  ask www.example. TXT
  expect SERVFAIL
  expect counter upstream_junk >= 1
  ask www.example. A
  expect NOERROR

story: a TXT record without any string is passed on to nobody
  on 192.0.2.2 name www.example. type TXT reply aa
    answer www.example. TXT \#
  ask www.example. TXT
  expect SERVFAIL

story: of two TXT records the broken one spoils the response
  on 192.0.2.2 name www.example. type TXT reply aa
    answer www.example. TXT whole
    answer www.example. TXT \# 0161ff
  ask www.example. TXT
  expect SERVFAIL
