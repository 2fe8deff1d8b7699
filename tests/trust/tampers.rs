//! The mutator: every way in which one field of what a server says can be wrong, for each set of records in an honest
//! response. Some changes break the signature, others are signed again by whoever has a key: then it is the meaning that
//! is wrong.

use meridian::dns::{Message, Name, Rcode, Record, RecordType};

use crate::keys::{DAY, Fields, KSK, Key, REVOKED, WALL, bitmap, record, tag_of, types_of};
use crate::tree::Tree;
use crate::zone::Zone;

/// What must come of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// SERVFAIL with one of these codes.
    Bogus(&'static [u16]),
    /// The truth, as authentic as before.
    Truth,
    /// The truth, but nobody vouches for it any more.
    Insecure,
    /// The truth or SERVFAIL: what was changed need not be looked at.
    Unharmed,
    /// Whatever it is, nobody vouches for it: where names opt out, anybody may claim that an unsigned zone begins.
    Unvouched,
}

/// Records of one owner and type, and the signatures over them.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Record>,
    pub(crate) signatures: Vec<Record>,
}

/// A change of a set of records.
pub(crate) struct Tamper {
    pub(crate) name: String,
    pub(crate) after: Rows,
    pub(crate) verdict: Verdict,
}

/// What signatures that do not fit are called.
const BAD: &[u16] = &[6];
const EXPIRED: &[u16] = &[7];
const EARLY: &[u16] = &[8];
const NO_KEY: &[u16] = &[9, 6, 10, 12];
const UNSIGNED: &[u16] = &[10, 12];
const UNPROVEN: &[u16] = &[12, 6];
/// Where the code depends on what is found first.
const ANY: &[u16] = &[6, 9, 10, 11, 12];

/// The sets of a message, by section, owner and type.
pub(crate) fn sets_of(message: &Message) -> Vec<(Name, RecordType)> {
    let mut sets = Vec::new();
    for row in message.answer.iter().chain(&message.authority) {
        let key = (row.owner.clone(), row.rtype);
        if row.rtype != RecordType::RRSIG && !sets.contains(&key) {
            sets.push(key);
        }
    }
    sets
}

fn covers(row: &Record, rtype: RecordType) -> bool {
    row.rtype == RecordType::RRSIG && row.rdata.starts_with(&rtype.0.to_be_bytes())
}

/// The set as the message has it.
pub(crate) fn rows_of(message: &Message, owner: &Name, rtype: RecordType) -> Rows {
    let all = || message.answer.iter().chain(&message.authority).filter(|row| row.owner == *owner);
    Rows {
        rows: all().filter(|row| row.rtype == rtype).cloned().collect(),
        signatures: all().filter(|row| covers(row, rtype)).cloned().collect(),
    }
}

/// Puts `after` where the message has the set.
pub(crate) fn put(message: &mut Message, owner: &Name, rtype: RecordType, after: &Rows) {
    for section in [&mut message.answer, &mut message.authority] {
        let is_of = |row: &Record| row.owner == *owner && (row.rtype == rtype || covers(row, rtype));
        let Some(at) = section.iter().position(is_of) else { continue };
        let mut kept: Vec<Record> = section[..at].to_vec();
        kept.extend(after.rows.iter().chain(&after.signatures).cloned());
        kept.extend(section[at..].iter().filter(|row| !is_of(row)).cloned());
        *section = kept;
    }
}

/// One set of `zone` under the changes.
struct Bench<'a> {
    tree: &'a Tree,
    zone: &'a Zone,
    owner: &'a Name,
    rtype: RecordType,
    before: Rows,
    found: Vec<Tamper>,
}

/// All changes of the set `owner`, `rtype` of `zone`, as `message` has it.
pub(crate) fn tampers(
    tree: &Tree,
    zone: &Zone,
    (owner, rtype): (&Name, RecordType),
    message: &Message,
    is_asked: bool,
) -> Vec<Tamper> {
    let before = rows_of(message, owner, rtype);
    if before.signatures.is_empty() {
        return Vec::new();
    }
    let mut bench = Bench { tree, zone, owner, rtype, before, found: Vec::new() };
    bench.signatures();
    bench.meanings();
    bench.signers();
    bench.data();
    match rtype {
        RecordType::NSEC => bench.nsec(message),
        RecordType::NSEC3 => bench.nsec3(message),
        // Who asks for them is told what is signed, whatever it is good for.
        RecordType::DS if !is_asked => bench.ds(),
        RecordType::DNSKEY if !is_asked => bench.keys(),
        _ => {}
    }
    bench.found
}

impl Bench<'_> {
    fn find(&mut self, name: &str, after: Rows, verdict: Verdict) {
        self.found.push(Tamper { name: name.to_owned(), after, verdict });
    }

    /// The key whose work the set is.
    fn key(&self) -> &Key {
        if self.rtype == RecordType::DNSKEY { &self.zone.keys[0] } else { self.zone.keys.last().unwrap() }
    }

    fn fields(&self) -> Fields {
        Fields::read(&self.before.signatures[0].rdata).0
    }

    /// The rows with one signature by `key` that says `fields`.
    fn signed_by(&self, key: &Key, fields: &Fields, rows: &[Record]) -> Rows {
        let rdatas: Vec<Vec<u8>> = rows.iter().map(|row| row.rdata.to_vec()).collect();
        let rdata = key.rrsig(fields, self.owner, &rdatas);
        let mut signature = self.before.signatures[0].clone();
        signature.rdata = rdata.into();
        Rows { rows: rows.to_vec(), signatures: vec![signature] }
    }

    /// The rows, signed as they should be.
    fn signed(&self, rows: &[Record]) -> Rows {
        self.signed_by(self.key(), &self.fields(), rows)
    }

    /// The set with other data, not signed anew.
    fn unsigned(&self, rows: Vec<Record>) -> Rows {
        Rows { rows, signatures: self.before.signatures.clone() }
    }

    /// Fields changed under a signature that was made for others.
    fn signatures(&mut self) {
        let mut with = |name: &str, verdict: Verdict, change: &dyn Fn(&mut Vec<u8>)| {
            let mut after = self.before.clone();
            for row in &mut after.signatures {
                let mut rdata = row.rdata.to_vec();
                change(&mut rdata);
                row.rdata = rdata.into();
            }
            self.found.push(Tamper { name: name.to_owned(), after, verdict });
        };
        with("a bit of the signature is flipped", Verdict::Bogus(BAD), &|rdata| *rdata.last_mut().unwrap() ^= 1);
        with("the signature is cut short", Verdict::Bogus(&[6, 10, 12]), &|rdata| rdata.truncate(rdata.len() - 20));
        with("the signature is empty", Verdict::Bogus(&[6, 10, 12]), &|rdata| rdata.truncate(rdata.len() - 64));
        with("another tag", Verdict::Bogus(NO_KEY), &|rdata| rdata[17] ^= 1);
        with("another algorithm", Verdict::Bogus(NO_KEY), &|rdata| rdata[2] = 15);
        with("an unknown algorithm", Verdict::Bogus(NO_KEY), &|rdata| rdata[2] = 200);
        with("a later expiration", Verdict::Bogus(BAD), &|rdata| rdata[11] ^= 1);
        with("another original TTL", Verdict::Bogus(BAD), &|rdata| rdata[7] ^= 1);
        with("another covered type", Verdict::Bogus(UNSIGNED), &|rdata| rdata[1] ^= 0x40);
        let mut bare = self.before.clone();
        bare.signatures.clear();
        self.find("no signature", bare, Verdict::Bogus(&[10, 12]));
        let mut twice = self.before.clone();
        let mut bad = twice.signatures[0].clone();
        *bad.rdata.last_mut().unwrap() ^= 1;
        twice.signatures.insert(0, bad);
        self.find("a bad signature before the good one", twice, Verdict::Truth);
    }

    /// Signed again by the right key, with a field that must not be so.
    fn meanings(&mut self) {
        let truth = self.fields();
        let apex = self.zone.apex.label_count() as u8;
        let mut with = |name: &str, verdict: Verdict, change: &dyn Fn(&mut Fields)| {
            let mut fields = truth.clone();
            change(&mut fields);
            let after = self.signed_by(self.key(), &fields, &self.before.rows);
            self.found.push(Tamper { name: format!("signed: {name}"), after, verdict });
        };
        with("more labels than the owner has", Verdict::Bogus(&[6, 10, 12]), &|fields| fields.labels += 5);
        if truth.labels > apex {
            with("a label less, as if it were a wildcard's", Verdict::Bogus(ANY), &|fields| fields.labels -= 1);
        }
        if apex > 0 {
            with("fewer labels than the signer has", Verdict::Bogus(ANY), &|fields| fields.labels = apex - 1);
            with("no labels", Verdict::Bogus(ANY), &|fields| fields.labels = 0);
        }
        with("expired", Verdict::Bogus(EXPIRED), &|fields| {
            (fields.inception, fields.expiration) = (WALL - 10 * DAY, WALL - 2 * DAY);
        });
        with("not valid yet", Verdict::Bogus(EARLY), &|fields| fields.inception = WALL + 2 * DAY);
        with("valid for less than no time", Verdict::Bogus(&[6, 7, 8]), &|fields| {
            (fields.inception, fields.expiration) = (WALL + 10 * DAY, WALL - 10 * DAY);
        });
        with("valid half a round of the clock ago", Verdict::Bogus(&[6, 7, 8]), &|fields| {
            fields.inception = fields.inception.wrapping_add(1 << 31);
            fields.expiration = fields.expiration.wrapping_add(1 << 31);
        });
        with("a shorter original TTL", Verdict::Truth, &|fields| fields.original_ttl = 60);
        with("another covered type", Verdict::Bogus(UNSIGNED), &|fields| fields.covered = RecordType(65_000));
        with("another tag", Verdict::Bogus(NO_KEY), &|fields| fields.tag ^= 1);
        with("another algorithm", Verdict::Bogus(NO_KEY), &|fields| fields.algorithm = 8);
    }

    /// Signed by somebody whose word does not count here.
    fn signers(&mut self) {
        let truth = self.fields();
        let mut others: Vec<(&str, &Zone)> = vec![("a sibling", self.tree.zone("sibling.net."))];
        if let Some(parent) = self.zone.apex.parent() {
            let zone = self.tree.zones.iter().find(|zone| zone.apex == parent);
            others.extend(zone.map(|zone| ("the parent", zone)));
        }
        let child = self.zone.apex.child(b"sub").unwrap();
        others.extend(self.tree.zones.iter().find(|zone| zone.apex == child).map(|zone| ("a child", zone)));
        let own = self.zone.apex.clone();
        for (who, zone) in others {
            if zone.apex == own {
                continue;
            }
            let key = zone.keys.last().unwrap();
            let fields = Fields { signer: zone.apex.clone(), tag: key.tag(), ..truth.clone() };
            let after = self.signed_by(key, &fields, &self.before.rows);
            // Who signs the keys of a zone could as well sign all that is in it.
            let verdict = if who == "the parent" { Verdict::Unharmed } else { Verdict::Bogus(ANY) };
            self.find(&format!("signed by {who} in its own name"), after, verdict);
            let fields = Fields { tag: key.tag(), ..truth.clone() };
            let after = self.signed_by(key, &fields, &self.before.rows);
            self.find(&format!("signed by {who} in this zone's name"), after, Verdict::Bogus(NO_KEY));
            let fields = Fields { signer: zone.apex.clone(), ..truth.clone() };
            let after = self.signed_by(self.key(), &fields, &self.before.rows);
            self.find(&format!("signed here in the name of {who}"), after, Verdict::Bogus(ANY));
        }
        let stranger = Key::new(KSK - 1);
        let fields = Fields { tag: stranger.tag(), ..truth };
        let after = self.signed_by(&stranger, &fields, &self.before.rows);
        self.find("signed by a stranger", after, Verdict::Bogus(NO_KEY));
        if self.rtype != RecordType::DNSKEY && !self.zone.apex.is_root() {
            let key = &self.zone.keys[0];
            let fields = Fields { tag: key.tag(), ..self.fields() };
            let after = self.signed_by(key, &fields, &self.before.rows);
            self.find("signed by the key that signs keys", after, Verdict::Truth);
        }
    }

    /// Other data.
    fn data(&mut self) {
        let mut changed = self.before.rows.clone();
        // Of a name another letter, so that it stays one.
        let is_name = matches!(self.rtype, RecordType::CNAME | RecordType::DNAME);
        let last = if is_name { 1 } else { changed[0].rdata.len() - 1 };
        changed[0].rdata[last] ^= 1;
        let after = self.unsigned(changed);
        self.find("other data", after, Verdict::Bogus(ANY));
        if !matches!(self.rtype, RecordType::CNAME | RecordType::DNAME | RecordType::SOA) {
            let mut more = self.before.rows.clone();
            let mut row = more[0].clone();
            let last = row.rdata.len() - 1;
            row.rdata[last] ^= 2;
            more.push(row);
            let after = self.unsigned(more);
            self.find("a record more", after, Verdict::Bogus(ANY));
        }
        if self.before.rows.len() > 1 {
            let after = self.unsigned(self.before.rows[1..].to_vec());
            self.find("a record less", after, Verdict::Bogus(ANY));
        }
        let mut longer = self.before.clone();
        longer.rows.iter_mut().chain(&mut longer.signatures).for_each(|row| row.ttl = 86_400);
        self.find("a longer TTL", longer, Verdict::Truth);
    }

    fn none() -> Rows {
        Rows { rows: Vec::new(), signatures: Vec::new() }
    }

    /// Other links of this zone's chain, truly signed, and one of another zone.
    fn other_links(&mut self, message: &Message) {
        let none = Self::none();
        self.find("no such proof", none, Verdict::Unharmed);
        let here = sets_of(message);
        let others = self
            .zone
            .sets
            .iter()
            .filter(|((owner, rtype), _)| *rtype == self.rtype && !here.contains(&(owner.clone(), *rtype)));
        let others: Vec<Rows> = others
            .map(|((owner, rtype), set)| Rows {
                rows: set.rdatas.iter().map(|rdata| record(owner, *rtype, set.ttl, rdata)).collect(),
                signatures: set.signatures.iter().map(|r| record(owner, RecordType::RRSIG, set.ttl, r)).collect(),
            })
            .collect();
        for (at, after) in others.into_iter().enumerate() {
            self.find(&format!("another link of the chain, {at}"), after, Verdict::Unharmed);
        }
        for apex in ["sibling.net.", "net.", "."] {
            let zone = self.tree.zone(apex);
            if zone.apex == self.zone.apex {
                continue;
            }
            let links =
                zone.sets.iter().filter(|((_, rtype), _)| matches!(*rtype, RecordType::NSEC | RecordType::NSEC3));
            let (mut rows, mut signatures) = (Vec::new(), Vec::new());
            for ((owner, rtype), set) in links {
                rows.extend(set.rdatas.iter().map(|rdata| record(owner, *rtype, set.ttl, rdata)));
                signatures.extend(set.signatures.iter().map(|r| record(owner, RecordType::RRSIG, set.ttl, r)));
            }
            self.find(&format!("the chain of {apex}"), Rows { rows, signatures }, Verdict::Unharmed);
        }
    }

    /// One link with data of which `change` makes others, signed.
    fn link(&mut self, name: &str, verdict: Verdict, change: impl Fn(&mut Vec<u8>)) {
        let mut rows = self.before.rows.clone();
        for row in &mut rows {
            let mut rdata = row.rdata.to_vec();
            change(&mut rdata);
            row.rdata = rdata.into();
        }
        let after = self.signed(&rows);
        self.find(&format!("signed: {name}"), after, verdict);
    }

    fn nsec(&mut self, message: &Message) {
        self.other_links(message);
        let asked = message.questions[0].clone();
        let is_own = *self.owner == asked.name;
        let split = |rdata: &[u8]| {
            let (next, length) = Name::from_wire(rdata).unwrap();
            (next, types_of(&rdata[length..]))
        };
        let join = |next: &Name, types: &[RecordType]| [next.wire(), &bitmap(types)].concat();
        let strict = if is_own { Verdict::Bogus(UNPROVEN) } else { Verdict::Unharmed };
        self.link("the bitmap has the type that was asked for", strict, |rdata| {
            let (next, mut types) = split(rdata);
            types.push(asked.rtype);
            *rdata = join(&next, &types);
        });
        self.link("the bitmap has CNAME", strict, |rdata| {
            let (next, mut types) = split(rdata);
            types.push(RecordType::CNAME);
            *rdata = join(&next, &types);
        });
        self.link("the bitmap is that of a cut", Verdict::Unharmed, |rdata| {
            let (next, mut types) = split(rdata);
            types.retain(|rtype| *rtype != RecordType::SOA);
            types.push(RecordType::NS);
            *rdata = join(&next, &types);
        });
        self.link("the bitmap is that of an apex", Verdict::Unharmed, |rdata| {
            let (next, mut types) = split(rdata);
            types.extend([RecordType::NS, RecordType::SOA]);
            *rdata = join(&next, &types);
        });
        self.link("the bitmap has DNAME", Verdict::Unharmed, |rdata| {
            let (next, mut types) = split(rdata);
            types.push(RecordType::DNAME);
            *rdata = join(&next, &types);
        });
        self.link("the next name is outside the zone", Verdict::Unharmed, |rdata| {
            let (_, types) = split(rdata);
            *rdata = join(&"zz.zz.".parse().unwrap(), &types);
        });
        let owner = self.owner.clone();
        self.link("the next name is itself", Verdict::Unharmed, |rdata| {
            let (_, types) = split(rdata);
            *rdata = join(&owner, &types);
        });
        let just_before = self.owner.child(b"\0").unwrap();
        self.link("it spans nothing", Verdict::Unharmed, |rdata| {
            let (_, types) = split(rdata);
            *rdata = join(&just_before, &types);
        });
        self.link("the bitmap cannot be read", Verdict::Unharmed, |rdata| {
            let (next, _) = split(rdata);
            *rdata = [next.wire(), &[0, 40, 1]].concat();
        });
    }

    fn nsec3(&mut self, message: &Message) {
        self.other_links(message);
        let asked = message.questions[0].clone();
        let salt = 5;
        let next_at = |rdata: &[u8]| salt + usize::from(rdata[4]);
        let map_at = |rdata: &[u8]| next_at(rdata) + 1 + usize::from(rdata[next_at(rdata)]);
        let with = |rdata: &mut Vec<u8>, more: &[RecordType], less: &[RecordType]| {
            let at = map_at(rdata);
            let mut types = types_of(&rdata[at..]);
            types.extend(more);
            types.retain(|rtype| !less.contains(rtype));
            rdata.truncate(at);
            rdata.extend(bitmap(&types));
        };
        self.link("an unknown hash", Verdict::Unharmed, |rdata| rdata[0] = 2);
        self.link("unknown flags", Verdict::Unharmed, |rdata| rdata[1] |= 0x80);
        self.link("names opt out", Verdict::Unharmed, |rdata| rdata[1] |= 1);
        self.link("an iteration more", Verdict::Unharmed, |rdata| rdata[3] += 1);
        self.link("another salt", Verdict::Unharmed, |rdata| {
            rdata[4] += 1;
            rdata.insert(salt, 0x77);
        });
        self.link("it spans nothing", Verdict::Unharmed, |rdata| {
            let at = next_at(rdata);
            let length = usize::from(rdata[at]);
            rdata[at + length] = rdata[at + length].wrapping_sub(1);
        });
        self.link("a next hash of other length", Verdict::Unharmed, |rdata| {
            let at = next_at(rdata);
            rdata[at] -= 1;
            rdata.remove(at + 1);
        });
        self.link("the bitmap has the type that was asked for", Verdict::Unharmed, |rdata| {
            with(rdata, &[asked.rtype], &[]);
        });
        self.link("the bitmap has CNAME", Verdict::Unharmed, |rdata| with(rdata, &[RecordType::CNAME], &[]));
        self.link("the bitmap has DNAME", Verdict::Unharmed, |rdata| with(rdata, &[RecordType::DNAME], &[]));
        let cut = [RecordType::NS];
        self.link("the bitmap is that of a cut", Verdict::Unharmed, |rdata| with(rdata, &cut, &[RecordType::SOA]));
        let apex = [RecordType::NS, RecordType::SOA];
        self.link("the bitmap is that of an apex", Verdict::Unharmed, |rdata| with(rdata, &apex, &[]));
    }

    fn ds(&mut self) {
        let none = Self::none();
        self.find("no DS", none, Verdict::Bogus(&[12, 10, 6]));
        self.link("another digest", Verdict::Bogus(NO_KEY), |rdata| *rdata.last_mut().unwrap() ^= 1);
        self.link("another tag", Verdict::Bogus(NO_KEY), |rdata| rdata[1] ^= 1);
        self.link("another algorithm", Verdict::Bogus(NO_KEY), |rdata| rdata[2] = 15);
        self.link("a digest of another length", Verdict::Bogus(NO_KEY), |rdata| rdata.truncate(20));
        self.link("an algorithm that nobody knows", Verdict::Insecure, |rdata| rdata[2] = 200);
        self.link("a digest that nobody knows", Verdict::Insecure, |rdata| rdata[3] = 200);
        let mut rows = self.before.rows.clone();
        let mut strange = rows[0].clone();
        strange.rdata[2] = 200;
        rows.push(strange);
        let after = self.signed(&rows);
        self.find("signed: one more of an unknown algorithm", after, Verdict::Truth);
    }

    fn keys(&mut self) {
        let rows = self.before.rows.clone();
        let with = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
            let mut rows = rows.clone();
            let mut rdata = rows[at].rdata.to_vec();
            change(&mut rdata);
            rows[at].rdata = rdata.into();
            rows
        };
        let is_ksk = |row: &Record| row.rdata.starts_with(&KSK.to_be_bytes());
        let ksk = rows.iter().position(is_ksk).unwrap();
        let zsk = rows.iter().position(|row| !is_ksk(row)).unwrap();
        for (name, at, change) in [
            ("the key of the DS is no zone key", ksk, &(|rdata: &mut Vec<u8>| rdata[0] &= !1) as &dyn Fn(&mut Vec<u8>)),
            ("the key of the DS has another protocol", ksk, &|rdata| rdata[2] = 4),
            ("the key of the DS has another algorithm", ksk, &|rdata| rdata[3] = 8),
            ("the key of the DS is another", ksk, &|rdata| rdata[20] ^= 1),
            ("the key of the DS is cut short", ksk, &|rdata| rdata.truncate(40)),
            ("the key of the zone's data is no zone key", zsk, &|rdata| rdata[0] &= !1),
            ("the key of the zone's data has another protocol", zsk, &|rdata| rdata[2] = 4),
            ("the key of the zone's data is another", zsk, &|rdata| rdata[20] ^= 1),
        ] {
            let rows = with(at, change);
            let after = self.signed(&rows);
            self.find(&format!("signed: {name}"), after, Verdict::Bogus(ANY));
        }
        // Revoked: the set is signed by the revoked key with its new tag, as RFC 5011 §2.1 has it.
        let revoked = with(ksk, &|rdata| rdata[1] |= REVOKED as u8);
        let fields = Fields { tag: tag_of(&revoked[ksk].rdata), ..self.fields() };
        let after = self.signed_by(self.key(), &fields, &revoked);
        self.find("signed: the key of the DS is revoked", after, Verdict::Bogus(ANY));
        let mut only = rows.clone();
        only.remove(ksk);
        let key = &self.zone.keys[1];
        let fields = Fields { tag: key.tag(), ..self.fields() };
        let after = self.signed_by(key, &fields, &only);
        self.find("the key of the DS is gone", after, Verdict::Bogus(ANY));
        let after = self.signed_by(key, &fields, &rows);
        self.find("the keys are signed by another of them", after, Verdict::Bogus(ANY));
        let mut more = rows.clone();
        more.push(record(&self.zone.apex, RecordType::DNSKEY, rows[0].ttl, &Key::new(KSK).rdata()));
        let after = self.signed(&more);
        self.find("signed: one more key", after, Verdict::Truth);
    }
}

/// Changes of a whole response that no field of a set stands for: what must come of each, and what it makes of the
/// honest response.
pub(crate) fn forgeries(zone: &Zone, honest: &Message) -> Vec<(String, Message, Verdict)> {
    let mut found = Vec::new();
    let mut find = |name: &str, message: Message, verdict: Verdict| found.push((name.to_owned(), message, verdict));
    let question = honest.questions[0].clone();
    let bare = |message: &mut Message| {
        let is_plain = |row: &Record| {
            !matches!(row.rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3 | RecordType::DS)
        };
        message.answer.retain(is_plain);
        message.authority.retain(is_plain);
    };
    let mut message = honest.clone();
    bare(&mut message);
    find("all of DNSSEC is stripped", message.clone(), Verdict::Bogus(&[10, 12]));
    message.answer = vec![record(&question.name, RecordType::A, 3600, &[203, 0, 113, 66])];
    message.authority.clear();
    message.rcode = Rcode::NOERROR;
    if question.rtype == RecordType::A {
        find("an address of the forger's, unsigned", message.clone(), Verdict::Bogus(&[10, 12]));
        message.answer = vec![record(&question.name, RecordType::CNAME, 3600, b"\x04evil\x03net\0")];
        find("an alias of the forger's, unsigned", message.clone(), Verdict::Bogus(&[10, 12]));
    }
    // What is there is denied, in either way, with the zone's own SOA and with proofs of something else.
    let soa = &zone.sets[&(zone.apex.clone(), RecordType::SOA)];
    let mut denial = honest.clone();
    denial.answer.clear();
    denial.authority = soa.rdatas.iter().map(|rdata| record(&zone.apex, RecordType::SOA, 300, rdata)).collect();
    denial.authority.extend(soa.signatures.iter().map(|rdata| record(&zone.apex, RecordType::RRSIG, 300, rdata)));
    let is_positive = !honest.answer.is_empty();
    for rcode in [Rcode::NXDOMAIN, Rcode::NOERROR] {
        denial.rcode = rcode;
        if is_positive {
            find(&format!("{rcode} without a proof"), denial.clone(), Verdict::Bogus(&[12, 10]));
        }
        let mut replayed = denial.clone();
        let mut other = crate::tree::reply_to(honest);
        zone.answer(&zone.apex.child(b"elsewhere").unwrap(), RecordType::A, true, &mut other);
        replayed.authority = other.authority;
        let is_truth = honest.rcode == rcode && !is_positive;
        let verdict = if is_truth { Verdict::Unharmed } else { Verdict::Bogus(&[12]) };
        find(&format!("{rcode} with the proof for another name"), replayed, verdict);
    }
    if !is_positive && !honest.authority.iter().any(|row| row.rtype == RecordType::NS) {
        let mut message = honest.clone();
        message.rcode = if honest.rcode == Rcode::NXDOMAIN { Rcode::NOERROR } else { Rcode::NXDOMAIN };
        // An empty non-terminal is never denied, and what does not exist has no types.
        find("the other denial with this one's proof", message, Verdict::Bogus(&[12]));
        let mut message = honest.clone();
        message.authority.retain(|row| row.rtype != RecordType::SOA && !covers(row, RecordType::SOA));
        find("no SOA", message, Verdict::Unharmed);
    }
    let is_wild = question.name.is_within(&zone.apex.child(b"wild").unwrap());
    if is_positive && question.rtype == RecordType::A && !is_wild {
        // A wildcard's answer, truly signed, for a name that it does not cover; without a proof and with one.
        let mut wild = crate::tree::reply_to(honest);
        zone.answer(&zone.apex.child(b"wild").unwrap().child(b"x").unwrap(), RecordType::A, true, &mut wild);
        wild.flags.authoritative = true;
        wild.answer.iter_mut().for_each(|row| row.owner = question.name.clone());
        find("the answer of a wildcard elsewhere", wild.clone(), Verdict::Bogus(ANY));
        wild.authority.clear();
        find("the answer of a wildcard, without its proof", wild, Verdict::Bogus(ANY));
    }
    if is_positive && !honest.authority.is_empty() {
        let mut message = honest.clone();
        message.authority.clear();
        find("no proof beside the answer", message, Verdict::Bogus(&[12, 10]));
    }
    found
}
