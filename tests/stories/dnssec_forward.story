# Validation of what forwarders say.
anchor .
server 192.0.2.1 zone . signed
  example. NS ns.example.
  example. DS key
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example. signed
  www.example. A 192.0.2.80
  corp.example. NS ns.corp.example.
  ns.corp.example. A 192.0.2.3
  deep.example. NS ns.deep.example.
  deep.example. DS key
  ns.deep.example. A 192.0.2.4
server 192.0.2.3 zone corp.example.
  www.corp.example. A 192.0.2.90
server 192.0.2.4 zone deep.example. signed
  www.deep.example. A 192.0.2.91
server 192.0.2.53 zone . signed
  example. NS ns.example.
  example. DS key
server 192.0.2.53 zone example. signed
  www.example. A 192.0.2.80
  alias.example. CNAME www.deep.example.
  corp.example. NS ns.corp.example.
  deep.example. NS ns.deep.example.
  deep.example. DS key
server 192.0.2.53 zone corp.example.
  www.corp.example. A 192.0.2.90
server 192.0.2.53 zone deep.example. signed
  www.deep.example. A 192.0.2.91
server 192.0.2.55 zone . signed
  example. NS ns.example.
  example. DS key
server 192.0.2.55 zone example. signed
  www.example. A 192.0.2.80
  deep.example. NS ns.deep.example.
  deep.example. DS key
server 192.0.2.55 zone deep.example. signed
  www.deep.example. A 192.0.2.91
server 192.0.2.54 zone intern.
  www.intern. A 10.0.0.1
server 192.0.2.54 zone intern.example.
  www.intern.example. A 10.0.0.2

story: with everything forwarded a signed answer is secure
  forward . 192.0.2.53
  ask www.deep.example. A +do
  expect NOERROR ad
  expect sent 0 to 192.0.2.2

story: with everything forwarded a denial is secure
  forward . 192.0.2.53
  ask none.deep.example. A +do
  expect NXDOMAIN ad

story: with everything forwarded an alias between signed zones is secure
  forward . 192.0.2.53
  ask alias.example. A +do
  expect NOERROR ad
  expect answer www.deep.example. A 192.0.2.91

story: with everything forwarded a zone that is not signed is insecure
  forward . 192.0.2.53
  ask www.corp.example. A +do
  expect NOERROR !ad
  expect answer www.corp.example. A 192.0.2.90

story: a forwarder that strips signatures makes everything signed bogus
  forward . 192.0.2.53
  on 192.0.2.53 strip
  ask www.example. A
  expect SERVFAIL
  expect ede 10
  ask www.example. A +cd
  expect NOERROR

story: a forwarder that lies is not believed
  forward . 192.0.2.53
  on 192.0.2.53 name www.example. type A alter
  ask www.example. A
  expect SERVFAIL
  expect ede 6

story: a forward zone whose parent proves that it is not signed is insecure
  forward corp.example. 192.0.2.53
  ask www.corp.example. A +do
  expect NOERROR !ad
  expect answer www.corp.example. A 192.0.2.90

story: a signed forward zone is secure by the DS of its parent
  forward deep.example. 192.0.2.53
  ask www.deep.example. A +do
  expect NOERROR ad
  expect seen 192.0.2.53 deep.example. DNSKEY
  expect unseen 192.0.2.4 deep.example. DNSKEY

story: a zone that exists only at the forwarder passes
  forward intern. 192.0.2.54
  ask www.intern. A +do
  expect NOERROR !ad
  expect answer www.intern. A 10.0.0.1
  ask none.intern. A
  expect NXDOMAIN

story: a zone below a signed one that exists only at the forwarder passes
  forward intern.example. 192.0.2.54
  ask www.intern.example. A +do
  expect NOERROR !ad
  expect answer www.intern.example. A 10.0.0.2

story: a forwarder of a signed zone that strips its signatures does not make it unsigned
  forward deep.example. 192.0.2.53
  on 192.0.2.53 strip
  ask www.deep.example. A
  expect SERVFAIL
  expect ede 10

story: what one forwarder says and is bogus is asked of the next
  forward . 192.0.2.53 192.0.2.55
  on 192.0.2.53 name www.example. type A alter
  ask www.example. A +do
  expect NOERROR ad
  expect answer www.example. A 192.0.2.80
  expect seen 192.0.2.53 www.example. A
  expect seen 192.0.2.55 www.example. A

story: beside a forwarder that strips signatures one that does not is enough
  forward . 192.0.2.53 192.0.2.55
  on 192.0.2.53 strip
  ask www.deep.example. A +do
  expect NOERROR ad
  expect sent <= 9
  ask none.deep.example. A +do
  expect NXDOMAIN ad

story: what all forwarders say and is bogus is refused
  forward . 192.0.2.53 192.0.2.55
  on 192.0.2.53 name www.example. type A alter
  on 192.0.2.55 name www.example. type A alter
  ask www.example. A
  expect SERVFAIL
  expect ede 6
  expect sent 1 to 192.0.2.55

story: what a single forwarder says and is bogus is asked of it once more
  forward . 192.0.2.53
  on 192.0.2.53 name www.example. type A first 1 alter
  ask www.example. A +do
  expect NOERROR ad
