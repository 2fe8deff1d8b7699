# Search paths of pods, gone through in one trip; names of search lists; which names pods may resolve.

server 10.1.0.1 zone .
  test. NS ns.test.
  ns.test. A 10.1.0.2
  example. NS ns.test.
  com. NS ns.test.
  77.0.8.in-addr.arpa. NS ns.test.
server 10.1.0.2 zone 77.0.8.in-addr.arpa.
  77.0.8.in-addr.arpa. NS ns.test.
  9.77.0.8.in-addr.arpa. PTR host.test.
server 10.1.0.2 zone test.
  test. NS ns.test.
  ns.test. A 10.1.0.2
  www.test. 300 A 192.0.2.1
  www.test. 300 AAAA 2001:db8::1
  four.test. A 192.0.2.4
  alias.test. CNAME www.test.
  evil.test. A 192.0.2.66
server 10.1.0.2 zone example.
  example. NS ns.test.
  db.corp.example. A 192.0.2.2
  db.corp.example. AAAA 2001:db8::2
server 10.1.0.2 zone com.
  com. NS ns.test.
  api.shop.com. A 192.0.2.7
namespace shop team=web
namespace build
pod 10.0.1.1 shop
pod 10.0.1.2 build
pod 10.0.1.3 shop young
pod 10.0.1.4 shop host
pod 10.0.1.5 shop new
pod 10.0.1.6 shop
pod 10.0.1.6 build
service shop/web 10.96.0.1
service build/cache 10.96.0.2
service shop/out www.test.
cluster search corp.example.
config minimisation off

story: a name outside the cluster is found in one trip
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR aa
  expect answer www.test.shop.svc.cluster.local. 5 CNAME www.test.
  expect answer www.test. 300 A 192.0.2.1
  expect seen 10.1.0.2 www.test.corp.example. A

story: A and AAAA end at the same name
  ask www.test.shop.svc.cluster.local. AAAA from 10.0.1.1
  expect answer www.test. AAAA 2001:db8::1
  ask four.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer four.test. A 192.0.2.4
  ask four.test.shop.svc.cluster.local. AAAA from 10.0.1.1
  expect NOERROR
  expect answer four.test.shop.svc.cluster.local. CNAME four.test.
  expect authority test. SOA

story: a server that denies one type as if there was no such name leads nobody astray
  on 10.1.0.2 name db.corp.example. type AAAA reply aa NXDOMAIN
    authority example. 60 SOA ns.test. h.test. 1 2 3 4 60
  ask db.shop.svc.cluster.local. A from 10.0.1.1
  expect answer db.shop.svc.cluster.local. CNAME db.corp.example.
  expect answer db.corp.example. A 192.0.2.2
  ask db.shop.svc.cluster.local. AAAA from 10.0.1.1
  expect NOERROR
  expect answer db.shop.svc.cluster.local. CNAME db.corp.example.

story: hosts' search domains come before the name as it was meant
  ask db.shop.svc.cluster.local. AAAA from 10.0.1.1
  expect answer db.corp.example. AAAA 2001:db8::2
  expect no answer db. AAAA

story: names of the cluster are found on the way
  ask cache.build.shop.svc.cluster.local. A from 10.0.1.1
  expect answer cache.build.shop.svc.cluster.local. 5 CNAME cache.build.svc.cluster.local.
  expect answer cache.build.svc.cluster.local. 5 A 10.96.0.2
  ask cache.build.svc.shop.svc.cluster.local. A from 10.0.1.1
  expect answer cache.build.svc.cluster.local. A 10.96.0.2
  expect sent 0 ever
  ask cache.build.svc.cluster.local.shop.svc.cluster.local. A from 10.0.1.1
  expect answer cache.build.svc.cluster.local. A 10.96.0.2

story: what the cluster has at the first name is what it ever was
  ask web.shop.svc.cluster.local. A from 10.0.1.1
  expect answer web.shop.svc.cluster.local. A 10.96.0.1
  expect no answer web.shop.svc.cluster.local. CNAME
  expect sent 0 ever

story: where no name exists the first is denied
  ask nowhere.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NXDOMAIN aa
  expect answer empty
  expect authority cluster.local. SOA

story: a failure on the way is told, and no name behind it
  on 10.1.0.2 name www.test.corp.example. rcode REFUSED
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect SERVFAIL
  expect answer empty

story: strangers, hosts, young pods, and two pods at one address hear what they would hear without
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR
  ask www.test.shop.svc.cluster.local. A from 10.0.1.9
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.2
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.3
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.4
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.5
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.6
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR
  pass 5s
  ask www.test.shop.svc.cluster.local. A from 10.0.1.3
  expect NOERROR

story: who validates, or wants no recursion, hears nothing that nobody signed
  ask www.test.shop.svc.cluster.local. A +do from 10.0.1.1
  expect NXDOMAIN
  ask www.test.shop.svc.cluster.local. A +norec from 10.0.1.1
  expect NXDOMAIN

story: an address that goes to another namespace takes no path along
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR
  gone pod 10.0.1.1 shop
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NXDOMAIN
  pod 10.0.1.1 build
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NXDOMAIN
  ask www.test.build.svc.cluster.local. A from 10.0.1.1
  expect answer www.test.build.svc.cluster.local. CNAME www.test.

story: a service that comes is answered at once, and one that goes no more
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1
  service test/www 10.96.0.9
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer www.test.svc.cluster.local. A 10.96.0.9
  gone service test/www
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1

story: aliases on the way are followed
  ask alias.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer alias.test.shop.svc.cluster.local. CNAME alias.test.
  expect answer alias.test. CNAME www.test.
  expect answer www.test. A 192.0.2.1
  ask out.shop.shop.svc.cluster.local. AAAA from 10.0.1.1
  expect answer out.shop.shop.svc.cluster.local. CNAME out.shop.svc.cluster.local.
  expect answer out.shop.svc.cluster.local. CNAME www.test.
  expect answer www.test. AAAA 2001:db8::1

story: silence on the way ends in time
  down all
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect SERVFAIL

story: what is stale serves a path too
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR
  pass 1h
  down all
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NOERROR
  expect answer www.test. A 192.0.2.1

story: letters of the asker reach no other's answer
  ask WwW.test.shop.svc.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1
  ask www.TEST.shop.svc.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1
  ask www.test.SHOP.svc.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1
  ask wWw.test.shop.SVC.cluster.local. A from 10.0.1.1
  expect answer www.test. A 192.0.2.1
  expect counter recalled >= 1

story: whole names below hosts' search domains are denied and nobody is asked
  cluster known_tlds corp.example.
  ask api.shop.com.corp.example. A from 10.0.1.9
  expect NXDOMAIN
  expect ede 4 search
  expect sent 0 ever
  ask db.corp.example. A from 10.0.1.9
  expect answer db.corp.example. A 192.0.2.2
  mark
  ask api.shop.com.shop.svc.cluster.local. A from 10.0.1.1
  expect answer api.shop.com. A 192.0.2.7
  expect unseen 10.1.0.2 api.shop.com.corp.example.

story: a hosts file knows better than the list of top-level domains
  cluster known_tlds corp.example.
  hosts 192.0.2.99 www.shop.com.corp.example
  ask www.shop.com.corp.example. A from 10.0.1.9
  expect answer www.shop.com.corp.example. A 192.0.2.99

story: a policy holds for the pods of its namespaces and for nobody else
  cluster policy team=web deny evil.test.
  cluster policy build allow www.test.
  ask evil.test. A from 10.0.1.2
  expect NXDOMAIN
  expect ede 15 policy
  expect sent 0 ever
  ask evil.test. A from 10.0.1.9
  expect answer evil.test. A 192.0.2.66
  ask evil.test. A from 10.0.1.1
  expect NXDOMAIN
  expect ede 15 policy
  ask evil.test. A from 10.0.1.4
  expect answer evil.test. A 192.0.2.66
  ask www.test. A from 10.0.1.2
  expect answer www.test. A 192.0.2.1
  ask web.shop.svc.cluster.local. A from 10.0.1.2
  expect answer web.shop.svc.cluster.local. A 10.96.0.1
  ask evil.test. A from 10.0.1.2
  expect NXDOMAIN
  ask evil.test. A from 10.0.1.9
  expect NOERROR

story: no service of another name leads around the policy, nor does a search path
  cluster policy shop deny www.test.
  ask out.shop.svc.cluster.local. A from 10.0.1.1
  expect NXDOMAIN
  expect ede 15 policy
  ask www.test.shop.svc.cluster.local. A from 10.0.1.1
  expect NXDOMAIN
  ask out.shop.svc.cluster.local. A from 10.0.1.9
  expect answer www.test. A 192.0.2.1

story: a policy follows the labels of its namespace
  cluster policy team=web deny evil.test.
  ask evil.test. A from 10.0.1.1
  expect NXDOMAIN
  namespace shop team=db
  ask evil.test. A from 10.0.1.1
  expect answer evil.test. A 192.0.2.66
  namespace shop team=web
  ask evil.test. A from 10.0.1.1
  expect NXDOMAIN

story: a reverse name that others had is told once a service has the address
  ask 9.77.0.8.in-addr.arpa. PTR from 10.0.1.1
  expect answer 9.77.0.8.in-addr.arpa. PTR host.test.
  ask 9.77.0.8.in-addr.arpa. PTR from 10.0.1.1
  expect answer 9.77.0.8.in-addr.arpa. PTR host.test.
  service shop/late 8.0.77.9
  ask 9.77.0.8.in-addr.arpa. PTR from 10.0.1.1
  expect answer 9.77.0.8.in-addr.arpa. PTR late.shop.svc.cluster.local.
