# Special-use names (RFC 6761, RFC 6303): answered here, never sent out.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
server 192.0.2.40 zone 10.in-addr.arpa.
  1.0.0.10.in-addr.arpa. PTR gate.example.

story: localhost is loopback and nobody is asked
  ask localhost. A
  expect NOERROR
  expect answer localhost. A 127.0.0.1
  ask a.localhost. AAAA
  expect answer a.localhost. AAAA ::1
  expect sent ever 0

story: invalid and onion do not exist and nobody is asked
  ask a.invalid. A
  expect NXDOMAIN
  ask something.onion. A
  expect NXDOMAIN
  expect sent ever 0

story: private reverse names never leave
  ask 1.0.0.10.in-addr.arpa. PTR
  expect NXDOMAIN
  ask 1.1.168.192.in-addr.arpa. PTR
  expect NXDOMAIN
  expect sent ever 0

story: a stub zone inside private reverse space is asked
  stub 10.in-addr.arpa. 192.0.2.40
  ask 1.0.0.10.in-addr.arpa. PTR
  expect answer 1.0.0.10.in-addr.arpa. PTR gate.example.

story: local names of multicast do not reach the root
  ask printer.local. A
  expect NXDOMAIN
  expect sent 0

story: example names are ordinary names
  ask www.example. A
  expect NOERROR

story: a hosts file names the machines of private reverse space
  hosts 10.0.0.1 gate.test.
  ask 1.0.0.10.in-addr.arpa. PTR
  expect answer 1.0.0.10.in-addr.arpa. PTR gate.test.

story: an alias to a special-use name does not teach that the name does not exist
  server 192.0.2.2 zone example.
    sly.example. CNAME a.localhost.
  ask sly.example. A
  ask a.localhost. A
  expect answer a.localhost. A 127.0.0.1
  ask localhost. A
  expect answer localhost. A 127.0.0.1

story: an alias to a special-use name tells nobody outside of it
  server 192.0.2.2 zone example.
    hidden.example. CNAME secret.onion.
  ask hidden.example. A
  expect NXDOMAIN
  expect answer hidden.example. CNAME secret.onion.
  expect sent 2
