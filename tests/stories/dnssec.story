# A signed tree: what is signed is told as such, what is provably not signed is told, and all else is refused.
anchor .
server 192.0.2.1 zone . signed
  example. NS ns.example.
  example. DS key
  ns.example. A 192.0.2.2
  test. NS ns.test.
  test. DS key
  ns.test. A 192.0.2.6
server 192.0.2.2 zone example. signed
  example. 7200 SOA ns.example. admin.example. 1 7200 3600 1209600 300
  example. NS ns.example.
  ns.example. A 192.0.2.2
  www.example. 300 A 192.0.2.80
  brief.example. 5 A 192.0.2.81
  alias.example. 300 CNAME www.example.
  far.example. CNAME www.plain.example.
  lost.example. CNAME www.hashed.example.
  *.wild.example. A 192.0.2.82
  *.walias.example. CNAME www.example.
  dn.example. DNAME hashed.example.
  a.b.ent.example. A 192.0.2.83
  plain.example. NS ns.plain.example.
  ns.plain.example. A 192.0.2.3
  hashed.example. NS ns.hashed.example.
  hashed.example. DS key
  ns.hashed.example. A 192.0.2.4
  optout.example. NS ns.optout.example.
  optout.example. DS key
  ns.optout.example. A 192.0.2.5
  odd.example. NS ns.odd.example.
  odd.example. DS key 2
  ns.odd.example. A 192.0.2.7
server 192.0.2.3 zone plain.example.
  ns.plain.example. A 192.0.2.3
  www.plain.example. A 192.0.2.90
  into.plain.example. CNAME www.example.
server 192.0.2.4 zone hashed.example. signed nsec3
  www.hashed.example. A 192.0.2.91
  *.wild.hashed.example. A 192.0.2.92
  a.b.ent.hashed.example. A 192.0.2.93
  sub.hashed.example. NS ns.plain.example.
server 192.0.2.5 zone optout.example. signed optout
  www.optout.example. A 192.0.2.94
  *.wild.optout.example. A 192.0.2.98
  sub.optout.example. NS ns.sub.optout.example.
  ns.sub.optout.example. A 192.0.2.3
server 192.0.2.3 zone sub.optout.example.
  www.sub.optout.example. A 192.0.2.95
server 192.0.2.3 zone sub.hashed.example.
  www.sub.hashed.example. A 192.0.2.96
server 192.0.2.6 zone test. signed
  www.test. A 192.0.2.97
server 192.0.2.7 zone odd.example. signed
  www.odd.example. A 192.0.2.99

# ---- what is secure

story: a signed answer has AD for a client that sets DO, and its signature
  ask www.example. A +do
  expect NOERROR ad
  expect answer www.example. 300 A 192.0.2.80
  expect answer www.example. RRSIG
  expect no ede
  expect counter validated_secure 1

story: a client that sets AD hears of it without signatures
  ask www.example. A +ad
  expect NOERROR ad
  expect answer has 1

story: a client that sets neither is not told AD
  ask www.example. A
  expect NOERROR !ad
  expect answer has 1

story: what is secure is told as secure from the cache, and nothing is asked
  ask www.example. A
  ask www.example. A +do
  expect NOERROR ad
  expect sent 0

story: the keys of a zone are asked for once
  ask www.example. A
  ask alias.example. A +do
  expect NOERROR ad
  expect unseen 192.0.2.2 example. DNSKEY
  expect unseen 192.0.2.1 . DNSKEY

story: an alias in a signed zone is secure where its end is
  ask alias.example. A +do
  expect NOERROR ad
  expect answer alias.example. CNAME www.example.
  expect answer www.example. A 192.0.2.80

story: an alias from one signed zone to another is secure
  ask lost.example. A +do
  expect NOERROR ad
  expect answer www.hashed.example. A 192.0.2.91

story: a DNAME of a signed zone and what it leads to are secure
  ask www.dn.example. A +do
  expect NOERROR ad
  expect answer www.dn.example. CNAME www.hashed.example.
  expect answer dn.example. RRSIG

story: the keys of a zone are secure when they are asked for
  ask hashed.example. DNSKEY +do
  expect NOERROR ad
  expect answer has 2

story: the DS of a zone is secure, and its parent's
  ask hashed.example. DS +do
  expect NOERROR ad
  expect answer hashed.example. DS
  expect unseen 192.0.2.4 hashed.example. DS

story: that a zone has no DS is secure
  ask plain.example. DS +do
  expect NOERROR ad
  expect answer empty
  expect authority plain.example. NSEC

story: the DS of the root is denied by nobody, and is no failure
  ask . DS +do
  expect NOERROR
  expect answer empty

# ---- what is denied

story: a name that is not there is denied with AD and its proof
  ask none.example. A +do
  expect NXDOMAIN ad
  expect authority example. SOA
  expect authority has >= 4

story: without DO a denial comes without its proof
  ask none.example. A +ad
  expect NXDOMAIN ad
  expect authority has 1

story: a type that is not there is denied with AD
  ask www.example. MX +do
  expect NOERROR ad
  expect answer empty
  expect authority www.example. NSEC

story: an empty non-terminal has nothing, and is there
  ask ent.example. A +do
  expect NOERROR ad
  expect answer empty
  ask b.ent.hashed.example. A +do
  expect NOERROR ad
  expect answer empty

story: by NSEC3 a name is denied with AD
  ask none.hashed.example. A +do
  expect NXDOMAIN ad
  expect authority has >= 6

story: by NSEC3 a type is denied with AD
  ask www.hashed.example. MX +do
  expect NOERROR ad
  expect answer empty

story: by NSEC3 that opts out a name is denied, but not for certain
  ask none.optout.example. A +do
  expect NXDOMAIN !ad

story: by NSEC3 that opts out a type of a name is denied with AD
  ask www.optout.example. MX +do
  expect NOERROR ad

story: what one denial proves answers further names, and nobody is asked
  ask m.example. A
  ask n.example. A +do
  expect NXDOMAIN ad
  expect sent 0
  expect counter synthesised_answers 1

story: what opts out answers for no other name
  ask m.optout.example. A
  ask n.optout.example. A
  expect sent >= 1
  expect counter synthesised_answers 0

# ---- wildcards

story: what a wildcard has is secure with the proof that nothing closer is there
  ask any.wild.example. A +do
  expect NOERROR ad
  expect answer any.wild.example. A 192.0.2.82
  expect authority *.wild.example. NSEC

story: a wildcard by NSEC3 is secure with its proof
  ask any.wild.hashed.example. A +do
  expect NOERROR ad
  expect answer any.wild.hashed.example. A 192.0.2.92
  expect authority has 2

story: a wildcard of a zone that opts out is told, without AD
  ask any.wild.optout.example. A +do
  expect NOERROR !ad
  expect answer any.wild.optout.example. A 192.0.2.98

story: an alias made by a wildcard is secure
  ask any.walias.example. A +do
  expect NOERROR ad
  expect answer any.walias.example. CNAME www.example.

story: a wildcard's answer without its proof is refused
  on 192.0.2.2 name any.wild.example. withhold NSEC
  ask any.wild.example. A
  expect SERVFAIL
  expect ede 12

story: a wildcard has no other types, and says so for certain
  ask any.wild.example. MX +do
  expect NOERROR ad
  expect answer empty
  ask any.wild.hashed.example. MX +do
  expect NOERROR ad

story: from a wildcard and its proof further names are answered
  ask m.wild.example. A
  ask n.wild.example. A +do
  expect NOERROR ad
  expect answer n.wild.example. A 192.0.2.82
  expect sent 0

# ---- what is provably not signed

story: a zone that is provably not signed is told without AD
  ask www.plain.example. A +do
  expect NOERROR !ad
  expect answer www.plain.example. A 192.0.2.90
  expect no ede
  expect counter validated_insecure 1

story: the proof that a zone is not signed comes with the referral and costs no query
  ask www.plain.example. A
  expect unseen 192.0.2.2 plain.example. DS

story: a denial of a zone that is not signed is told without AD
  ask none.plain.example. A +do
  expect NXDOMAIN !ad

story: a zone that is not signed below NSEC3 is insecure
  ask www.sub.hashed.example. A +do
  expect NOERROR !ad
  expect answer www.sub.hashed.example. A 192.0.2.96

story: a zone left out by a chain that opts out is insecure
  ask www.sub.optout.example. A +do
  expect NOERROR !ad
  expect answer www.sub.optout.example. A 192.0.2.95

story: an alias into a zone that is not signed is insecure as a whole
  ask far.example. A +do
  expect NOERROR !ad
  expect answer far.example. RRSIG
  expect answer www.plain.example. A 192.0.2.90

story: an alias out of a zone that is not signed is insecure as a whole
  ask into.plain.example. A +do
  expect NOERROR !ad
  expect answer www.example. RRSIG

# ---- what is bogus

story: an altered answer is refused with EDE 6
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A
  expect SERVFAIL
  expect ede 6
  expect answer empty
  expect counter bogus_signature 1

story: an answer whose signatures have been stripped is refused with EDE 10
  on 192.0.2.2 name www.example. strip
  ask www.example. A
  expect SERVFAIL
  expect ede 10

story: a denial whose proofs have been stripped is refused
  on 192.0.2.2 name none.example. strip
  ask none.example. A
  expect SERVFAIL
  expect ede 10

story: a denial without its NSEC is refused with EDE 12
  on 192.0.2.2 name none.example. withhold NSEC
  ask none.example. A
  expect SERVFAIL
  expect ede 12

story: expired signatures are refused with EDE 7
  server 192.0.2.6 zone test. signed until 1h
    www.test. A 192.0.2.97
  pass 2d
  ask www.test. A
  expect SERVFAIL
  expect ede 7

story: signatures of tomorrow are refused with EDE 8
  server 192.0.2.6 zone test. signed from 1h
    www.test. A 192.0.2.97
  ask www.test. A
  expect SERVFAIL
  expect ede 8
  pass 2h
  ask www.test. A +do
  expect NOERROR ad

story: a zone signed by another key than its DS speaks of is refused with EDE 9
  ask www.odd.example. A
  expect SERVFAIL
  expect ede 9

story: a zone that is signed no more and has a DS is refused
  server 192.0.2.6 zone test.
    www.test. A 192.0.2.97
  ask www.test. A
  expect SERVFAIL
  expect ede 9

story: a referral without DS and without proof that there is none is refused
  on 192.0.2.2 withhold DS
  ask www.hashed.example. A
  expect SERVFAIL
  expect ede 10

story: a bogus answer of one server is asked of another
  server 192.0.2.1 zone . signed
    example. NS ns.example.
    example. DS key
    ns.example. A 192.0.2.2
    ns.example. A 192.0.2.12
  server 192.0.2.12 zone example. signed
    www.example. 300 A 192.0.2.80
  on 192.0.2.2 name www.example. alter
  ask www.example. A +do
  expect NOERROR ad
  expect answer www.example. A 192.0.2.80
  flush www.example.
  ask www.example. A +do
  expect NOERROR ad

story: whoever asks again for what is bogus hears it at once, and why
  on 192.0.2.2 name www.example. alter
  ask www.example. A
  ask www.example. A
  expect SERVFAIL
  expect ede 6
  expect sent 0

story: what was bogus is asked again after a minute
  on 192.0.2.2 name www.example. alter
  ask www.example. A
  obey 192.0.2.2
  pass 61s
  ask www.example. A +do
  expect NOERROR ad

story: a zone that has mended its keys is believed after a minute, whatever was asked meanwhile
  on 192.0.2.4 type DNSKEY strip
  ask www.hashed.example. A
  expect SERVFAIL
  obey 192.0.2.4
  pass 50s
  ask none.hashed.example. A
  expect SERVFAIL
  pass 15s
  ask none.hashed.example. A +do
  expect NXDOMAIN ad

story: the time that checking takes is not added to that for which an answer holds
  rtt 192.0.2.1 2s
  rtt 192.0.2.2 10ms
  ask brief.example. A +cd
  flush brief.example.
  ask brief.example. A +do
  expect NOERROR ad
  pass 2s
  ask brief.example. A
  expect answer ttl <= 1

story: an alias to bogus data is refused as a whole
  on 192.0.2.4 name www.hashed.example. alter
  ask lost.example. A +do
  expect SERVFAIL
  expect ede 6
  expect answer empty

story: an alias that nobody has signed leads nowhere
  on 192.0.2.2 name www.example. type A reply aa
    answer www.example. CNAME www.test.
  ask www.example. A
  expect SERVFAIL
  expect ede 10
  expect unseen 192.0.2.6 www.test. A

story: nor does one that a client has let in with CD
  on 192.0.2.2 name www.example. type A reply aa
    answer www.example. CNAME www.test.
  ask www.example. A +cd
  expect answer www.test. A 192.0.2.97
  flush www.test.
  ask www.example. A
  expect SERVFAIL
  expect ede 10
  expect unseen 192.0.2.6 www.test. A

story: an alias with a signature of its own zone leads on, and costs no query more than one that is not checked
  ask www.hashed.example. A
  ask lost.example. A +do
  expect NOERROR ad
  expect sent 1

# ---- CD

story: with CD what is bogus is told, without AD
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A +do +cd
  expect NOERROR cd !ad
  expect answer www.example. A
  expect no answer www.example. A 192.0.2.80

story: what a client let in with CD changes nothing for others
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A +cd
  obey 192.0.2.2
  ask www.example. A +do
  expect NOERROR ad
  expect answer www.example. A 192.0.2.80

story: bogus data let in with CD are refused to whoever leaves the checking to us
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A +cd
  ask www.example. A
  expect SERVFAIL
  expect ede 6

story: what is refused as bogus is told to whoever sets CD
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A
  expect SERVFAIL
  ask www.example. A +cd
  expect NOERROR
  expect answer www.example. A

story: a failure with CD is no failure for others
  down 192.0.2.2
  ask www.example. A +cd
  expect SERVFAIL
  up 192.0.2.2
  ask www.example. A +do
  expect NOERROR ad

story: what has been checked is told to whoever sets CD
  ask www.example. A
  ask www.example. A +cd
  expect answer www.example. A 192.0.2.80
  expect sent 0

# ---- stale data, prefetch

story: while a zone is bogus its old answers are given on as stale
  ask www.example. A
  pass 10m
  on 192.0.2.2 name www.example. alter
  ask www.example. A +do
  expect NOERROR
  expect answer www.example. 30 A 192.0.2.80
  expect ede 3

story: what was told with CD is never the stale answer of others
  on 192.0.2.2 name www.example. type A alter
  ask www.example. A +cd
  pass 10m
  ask www.example. A
  expect SERVFAIL
  expect ede 6

story: a prefetch is checked like any other
  ask www.example. A
  ask www.example. A
  pass 275s
  ask www.example. A
  pass 1s
  expect counter prefetches 1
  pass 30s
  ask www.example. A +do
  expect NOERROR ad
  expect sent 0

story: a bogus prefetch does not replace what is secure
  ask www.example. A
  ask www.example. A
  pass 275s
  on 192.0.2.2 name www.example. alter
  ask www.example. A
  pass 1s
  ask www.example. A +do
  expect NOERROR ad
  expect answer www.example. A 192.0.2.80

story: no answer is kept longer than its signature holds
  server 192.0.2.6 zone test. signed until 100s
    www.test. 3600 A 192.0.2.97
  ask www.test. A +do
  expect NOERROR ad
  expect answer ttl <= 100

# ---- names that are not validated, anchors of one's own

story: what is excepted is told whatever its signatures
  negative odd.example.
  ask www.odd.example. A +do
  expect NOERROR !ad
  expect answer www.odd.example. A 192.0.2.99

story: an anchor of one's own counts where the tree above knows no keys
  server 192.0.2.3 zone plain.example. signed
    www.plain.example. A 192.0.2.90
  anchor plain.example.
  ask www.plain.example. A +do
  expect NOERROR ad
  ask none.plain.example. A +do
  expect NXDOMAIN ad
