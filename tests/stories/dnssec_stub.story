# Validation of what the servers of stub zones say.
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
server 192.0.2.54 zone intern.
  www.intern. A 10.0.0.1
server 192.0.2.54 zone intern.example.
  www.intern.example. A 10.0.0.2

story: a stub zone whose parent proves that it is not signed is insecure
  stub corp.example. 192.0.2.3
  ask www.corp.example. A +do
  expect NOERROR !ad
  expect answer www.corp.example. A 192.0.2.90

story: a signed stub zone is secure
  stub deep.example. 192.0.2.4
  ask www.deep.example. A +do
  expect NOERROR ad

story: a stub zone that the public tree does not know passes
  stub intern. 192.0.2.54
  ask www.intern. A +do
  expect NOERROR !ad
  expect answer www.intern. A 10.0.0.1

story: a signed stub zone that lies is bogus
  stub deep.example. 192.0.2.4
  on 192.0.2.4 name www.deep.example. alter
  ask www.deep.example. A
  expect SERVFAIL
  expect ede 6

story: a stub zone under its own anchor is secure
  server 192.0.2.54 zone intern. signed
    www.intern. A 10.0.0.1
  stub intern. 192.0.2.54
  anchor intern.
  ask www.intern. A +do
  expect NOERROR ad
