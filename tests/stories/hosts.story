# The hosts file.
hosts 192.0.2.7 router.example. router.test.
hosts 2001:db8::7 router.example.
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  router.example. A 192.0.2.99
  router.example. MX 10 mx.example.
  www.example. A 192.0.2.80
  alias.example. CNAME router.example.

story: a listed name is answered without any upstream
  ask router.example. A
  expect NOERROR
  expect answer router.example. 60 A 192.0.2.7
  expect sent 0
  expect counter hosts_hits 1

story: both families are answered from the file
  ask router.example. AAAA
  expect answer router.example. 60 AAAA 2001:db8::7
  expect sent 0

story: the family that is not listed is NODATA
  ask router.test. AAAA
  expect NOERROR
  expect answer empty
  expect sent 0

story: PTR is answered with the first name of the address
  ask 7.2.0.192.in-addr.arpa. PTR
  expect answer 7.2.0.192.in-addr.arpa. 60 PTR router.example.
  expect sent 0

story: other types of a listed name are resolved
  ask router.example. MX
  expect answer router.example. MX 10 mx.example.

story: a name that is not listed is resolved
  ask www.example. A
  expect answer www.example. A 192.0.2.80

story: a changed file is never hidden by a cached answer
  ask www.example. A
  hosts 192.0.2.8 www.example.
  ask www.example. A
  expect answer www.example. A 192.0.2.8
  expect sent 0

story: a name that leaves the file is resolved again
  ask router.example. A
  hosts clear
  ask router.example. A
  expect answer router.example. A 192.0.2.99

story: the hosts file does not answer strangers
  ask router.example. A from 203.0.113.9
  expect REFUSED
  expect ede 18

story: the root's word about a top-level domain does not hide a listed name below it
  hosts 192.0.2.9 printer.lan.
  ask other.lan. A
  expect NXDOMAIN
  ask printer.lan. A
  expect answer printer.lan. A 192.0.2.9

story: localhost has both families although the file lists one
  hosts 127.0.0.1 localhost.
  ask localhost. AAAA
  expect answer localhost. AAAA ::1
  expect sent 0
