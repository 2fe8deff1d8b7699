//! What a client is told must follow from what the servers said: here every response is held against the witnesses.

use std::time::Duration;

use meridian::base::collections::{Map, keyed};
use meridian::base::{Dice, Instant, bounds};
use meridian::chain::{Memory, seal::response_limit};
use meridian::dns::edns::option;
use meridian::dns::{Class, Message, Name, Opcode, Question, Rcode, Record, RecordType};
use meridian::handlers::resolve::Minimisation;

use crate::house::Estate;
use crate::server::{POISON_V4, POISON_V6, Said, What, fingerprint, is_resolvable};
use crate::world::World;

/// The last time that a failure before may be the reason for a stale answer.
const FAILURE_MEMORY: Duration = Duration::from_secs(75);

#[derive(Clone, Copy, Debug)]
struct Witness {
    what: What,
    ttl: u32,
    at: Instant,
    restarts: u32,
}

/// Everything that servers with authority said, and when it arrived.
pub(crate) struct Witnesses(Map<Name, Vec<Witness>>);

impl Witnesses {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        Self(Map::with_hasher(keyed(dice)))
    }

    pub(crate) fn add(&mut self, said: Said, at: Instant, restarts: u32) {
        let Said { owner, what, ttl, .. } = said;
        let list = self.0.entry(owner).or_default();
        // The newest word of the same kind is the one that matters most; the oldest are soon past any use.
        if list.len() >= 400 {
            list.drain(..200);
        }
        list.push(Witness { what, ttl, at, restarts });
    }

    fn of(&self, name: &Name) -> impl Iterator<Item = &Witness> {
        self.0.get(name).into_iter().flatten().rev()
    }
}

/// An RRset of a response.
struct Given {
    owner: Name,
    rtype: RecordType,
    ttl: u32,
    rdatas: Vec<Vec<u8>>,
}

fn given(records: &[Record]) -> Vec<Given> {
    let mut sets: Vec<Given> = Vec::new();
    // Signatures go along with what they are of.
    for record in records.iter().filter(|record| record.rtype != RecordType::RRSIG) {
        // Names in RDATA may be pointers to the question's letters.
        let has_name = [RecordType::NS, RecordType::CNAME, RecordType::DNAME, RecordType::MX].contains(&record.rtype);
        let mut rdata = record.rdata.to_vec();
        if has_name {
            rdata.make_ascii_lowercase();
        } else if record.rtype == RecordType::SOA {
            let names = rdata.len().saturating_sub(20);
            rdata[..names].make_ascii_lowercase();
        }
        let known = sets.iter_mut().find(|set| set.owner == record.owner && set.rtype == record.rtype);
        match known {
            Some(set) => {
                set.ttl = set.ttl.max(record.ttl);
                set.rdatas.push(rdata);
            }
            None => sets.push(Given {
                owner: record.owner.lowered(),
                rtype: record.rtype,
                ttl: record.ttl,
                rdatas: vec![rdata],
            }),
        }
    }
    sets
}

/// In what way an answer holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Held {
    Fresh,
    Stale,
}

/// When and how an answer was given.
#[derive(Clone, Copy)]
struct Occasion {
    is_at_once: bool,
    slack: i64,
    may_be_stale: bool,
}

impl World {
    /// A response goes to a client.
    pub(crate) fn answered(&mut self, worker: usize, number: usize, bytes: &[u8], is_at_once: bool) {
        self.mix(bytes);
        if self.asked[number].is_ended {
            return self.breach(&format!("query {number} gets two responses"));
        }
        self.asked[number].is_ended = true;
        let took = self.now.since(self.asked[number].at);
        let leapt = self.leapt.saturating_sub(self.asked[number].leapt);
        if took > bounds::CLIENT_DEADLINE + Duration::from_millis(20) + leapt {
            self.breach(&format!("query {number} is answered after {took:?}"));
        }
        let Ok(response) = Message::parse(bytes) else { return self.breach("a response cannot be parsed") };
        self.note(|| {
            let records: Vec<String> = response
                .answer
                .iter()
                .take(4)
                .map(|record| {
                    format!(
                        "{} {} {} {:?}",
                        record.owner,
                        record.ttl,
                        record.rtype,
                        &record.rdata[..record.rdata.len().min(24)]
                    )
                })
                .collect();
            let ede = response.edns.as_ref().and_then(|edns| edns.option(option::EDE)).unwrap_or_default();
            let ede = String::from_utf8_lossy(ede.get(2..).unwrap_or_default());
            format!("! {number} {} {ede} {}", response.rcode, records.join("; "))
        });
        let query = self.asked[number].sent.bytes.clone();
        if let Err(why) = self.judge(worker, number, &query, &response, bytes.len(), is_at_once) {
            self.breach(&format!("query {number}: {why}"));
        }
    }

    fn judge(
        &self,
        worker: usize,
        number: usize,
        query: &[u8],
        response: &Message,
        length: usize,
        is_at_once: bool,
    ) -> Result<(), String> {
        let says = |claim: bool, why: &str| if claim { Ok(()) } else { Err(why.to_owned()) };
        let asked = &self.asked[number];
        says(query.first_chunk::<2>().is_some_and(|id| u16::from_be_bytes(*id) == response.id), "another id")?;
        says(response.flags.response, "QR=0")?;
        says(query[2] & 0x80 == 0, "a response is answered")?;
        says(!response.flags.authentic_data || self.tree.is_signed, "AD without validation")?;
        let all = || response.answer.iter().chain(&response.authority).chain(&response.additional);
        says(!all().any(is_poison), "it is poisoned")?;
        let Ok(query) = Message::parse(query) else {
            return says(all().next().is_none(), "an unreadable query gets records");
        };
        let limit = response_limit(asked.sent.carrier, query.edns.as_ref().map(|edns| edns.udp_size));
        says(length <= limit, "it is too long")?;
        says(query.edns.is_some() || response.edns.is_none(), "OPT to a query without")?;
        let ([question], Opcode::QUERY) = (query.questions.as_slice(), query.flags.opcode) else {
            return says(all().next().is_none(), "no query gets records");
        };
        match response.questions.as_slice() {
            [echo] => {
                let is_same = echo.name.is_same_case(&question.name)
                    && (echo.rtype, echo.class) == (question.rtype, question.class);
                says(is_same, "another question")?;
            }
            questions => says(questions.is_empty() && all().next().is_none(), "records without the question")?,
        }
        if question.class != Class::IN || question.rtype.is_meta() || response.rcode == Rcode::BADVERS {
            return Ok(());
        }
        // Of the DS records at the apex the parent speaks, or the zone that knows of none.
        let is_apex_ds = question.rtype == RecordType::DS && question.name == self.estate.own;
        let is_own = question.name.is_within(&self.estate.own) && (!is_apex_ds || response.flags.authoritative);
        let is_stranger = !self.is_served(number);
        if is_stranger && !is_own {
            return says(response.rcode == Rcode::REFUSED && all().next().is_none(), "a stranger is served");
        }
        if response.rcode == Rcode::FORMERR {
            return says(asked.sent.is_odd && all().next().is_none(), "FORMERR to a good query");
        }
        let low = if is_at_once { self.oldest[worker].min(asked.version) } else { asked.version };
        let is_bare = response.rcode == Rcode::NOERROR && all().next().is_none();
        let mut name = question.name.lowered();
        let mut sets = given(&response.answer);
        if is_own {
            match self.judge_own(response, question, low, &mut sets)? {
                Some(target) if !sets.is_empty() || !is_stranger && query.flags.recursion_desired => name = target,
                _ => return Ok(()),
            }
        } else if let Some(is_listed) = self.judge_hosts(question, low, &sets, is_bare)? {
            return says(is_listed && response.rcode == Rcode::NOERROR, "the hosts file says otherwise");
        }
        if response.flags.truncated {
            return says(asked.sent.carrier == meridian::chain::Carrier::Udp, "TC over TCP");
        }
        if matches!(response.rcode, Rcode::SERVFAIL | Rcode::REFUSED) {
            says(response.answer.is_empty() && response.authority.is_empty(), "an error with records")?;
            if response.rcode == Rcode::REFUSED {
                return says(!query.flags.recursion_desired, "REFUSED to a client");
            }
            let truth = Question { name: name.clone(), ..question.clone() };
            let was_crowded = self.now.since(self.crowded_seen) < FAILURE_MEMORY;
            let has_excuse = was_crowded
                || asked.at < self.calm()
                || !is_resolvable(&self.tree, &truth)
                || self.meets_bogus(&truth)
                || !self.is_settled_along(&truth);
            return says(has_excuse, "SERVFAIL although nothing fails any more");
        }
        let is_secure = sets.iter().all(|set| self.tree.is_secure(self.tree.speaker(&set.owner, set.rtype)));
        says(!response.flags.authentic_data || is_secure, "AD for what is not secure")?;
        if query.flags.checking_disabled && self.tree.is_signed {
            return Ok(()); // who checks for himself may be told anything
        }
        let is_bogus = |name: &Name, rtype| self.tree.is_bogus(self.tree.speaker(name, rtype));
        let is_bogus = sets.is_empty() && is_bogus(&name, question.rtype)
            || sets.iter().any(|set| is_bogus(&set.owner, set.rtype));
        says(!is_bogus, "what is bogus is told")?;
        let waited = self.now.since(asked.at) + self.recent_leap();
        let ede = response.edns.as_ref().and_then(|edns| edns.option(option::EDE));
        let is_said_stale = ede.is_some_and(|data| matches!(data, [0, 3 | 19, ..]));
        let occasion = Occasion {
            is_at_once,
            slack: if is_at_once { 0 } else { 7 + waited.as_secs() as i64 },
            may_be_stale: self.estate.cache_settings.stale.is_some() && (is_said_stale || query.edns.is_none()),
        };
        let held = self.derive(&name, question.rtype, response, sets, occasion)?;
        if held == Held::Stale || is_said_stale {
            let truth = Question { name, ..question.clone() };
            let is_due = self.meets_bogus(&truth)
                || self.now.since(self.fault_seen) < FAILURE_MEMORY + self.leapt
                || !is_resolvable(&self.tree, &truth)
                || !self.is_settled_along(&truth);
            says(is_due, "stale although nothing failed")?;
        }
        Ok(())
    }

    fn recent_leap(&self) -> Duration {
        let (at, span) = self.last_leap;
        if self.now.since(at) < Duration::from_secs(10) { span } else { Duration::ZERO }
    }

    fn is_served(&self, number: usize) -> bool {
        meridian::base::NetworkSet::private().contains(self.asked[number].sent.from.ip())
    }

    /// Whether no zone along the aliases of a question has moved just now.
    fn is_settled_along(&self, question: &Question) -> bool {
        self.along(question).iter().all(|name| self.tree.is_settled(name, self.now))
    }

    /// Whether one of the zones that a question and its aliases lead through is bogus.
    fn meets_bogus(&self, question: &Question) -> bool {
        self.along(question).iter().any(|name| self.tree.is_bogus(self.tree.speaker(name, question.rtype)))
    }

    /// The names that a question leads along, by aliases as they are now.
    fn along(&self, question: &Question) -> Vec<Name> {
        let mut names = vec![question.name.clone()];
        for at in 0..12 {
            let Some(name) = names.get(at).cloned() else { break };
            let zone = &self.tree.zones[self.tree.zone_of(&name)].zone;
            let alias = (0..=name.label_count()).find_map(|labels| {
                let node = name.suffix(labels);
                let dname = zone.set(&node, RecordType::DNAME).filter(|_| labels < name.label_count())?;
                let target = Name::from_wire(&dname.rdatas[0]).ok()?.0;
                name.with_ending(&node, &target)?.ok()
            });
            let star = name.parent().and_then(|parent| parent.child(b"*").ok());
            let cname =
                [Some(&name), star.as_ref()].into_iter().flatten().find_map(|node| zone.set(node, RecordType::CNAME));
            let target = cname.and_then(|set| Name::from_wire(&set.rdatas[0]).ok()).map(|(target, _)| target);
            names.extend(alias.or(target));
        }
        names
    }

    /// Our own zone speaks with authority and as one version. Returns the target of an alias that leads outside, and
    /// leaves in `sets` what is said of it.
    fn judge_own(
        &self,
        response: &Message,
        question: &Question,
        low: u8,
        sets: &mut Vec<Given>,
    ) -> Result<Option<Name>, String> {
        if response.rcode == Rcode::SERVFAIL {
            let leads_outside = question.name == self.estate.own.child(b"c0").unwrap();
            return Ok(leads_outside.then(|| self.estate.outside.clone()));
        }
        if !response.flags.authoritative {
            return Err("our own zone without AA".to_owned());
        }
        // An alias that leads outside may lead back, to what the public tree says of our zone.
        let is_led = response.answer.first().is_some_and(|record| record.rtype == RecordType::CNAME);
        let records = response.answer.iter().chain(&response.authority).chain(&response.additional).filter(|_| !is_led);
        let mut versions: Vec<u8> = records
            .filter(|record| record.owner.is_within(&self.estate.own))
            .filter_map(|record| match (record.rtype, &record.rdata[..]) {
                (RecordType::A, [10, 77, version, _]) | (RecordType::TXT, [4, 10, 77, version, 5]) => Some(*version),
                (RecordType::SOA, rdata) => rdata.len().checked_sub(17).map(|at| rdata[at]),
                (RecordType::A | RecordType::TXT | RecordType::AAAA | RecordType::MX, _) => Some(0),
                _ => None,
            })
            .collect();
        versions.dedup();
        if versions.len() > 1 || versions.iter().any(|version| !(low..=self.version).contains(version)) {
            return Err(format!("our own zone in versions {versions:?}, not {low} to {}", self.version));
        }
        let alias = sets.iter().position(|set| set.rtype == RecordType::CNAME && set.owner == question.name);
        let alias = alias.filter(|_| question.rtype != RecordType::CNAME).map(|at| sets.remove(at));
        Ok(alias.and_then(|set| Name::from_wire(&set.rdatas[0]).ok()).map(|(target, _)| target.lowered()))
    }

    /// Whether an answer that the hosts file governs is its; none where it governs nothing.
    fn judge_hosts(&self, question: &Question, low: u8, sets: &[Given], is_bare: bool) -> Result<Option<bool>, String> {
        let listed = self.estate.listable.iter().position(|name| *name == question.name);
        let Some(at) = listed else { return Ok(None) };
        // A name may be in the list twice, under either number.
        let is_listed = |version: u8| {
            let names = self.estate.listable.iter().enumerate();
            names.filter(|(_, name)| **name == self.estate.listable[at]).any(|(at, _)| Estate::lists(version, at))
        };
        let versions: Vec<u8> = (low..=self.version).collect();
        if question.rtype != RecordType::A {
            // Of what it does not have it says so, without a SOA record.
            return Ok((is_bare && versions.iter().any(|version| is_listed(*version))).then_some(true));
        }
        let mut told: Vec<u8> = sets
            .iter()
            .flat_map(|set| &set.rdatas)
            .filter_map(|rdata| match rdata[..] {
                [10, 66, version, _] => Some(version),
                _ => None,
            })
            .collect();
        let count = told.len();
        told.dedup();
        match told[..] {
            [] if versions.iter().all(|version| is_listed(*version)) => Ok(Some(false)),
            [] => Ok(None),
            [version] => {
                let rdatas: usize = sets.iter().map(|set| set.rdatas.len()).sum();
                Ok(Some(versions.contains(&version) && is_listed(version) && rdatas == count))
            }
            _ => Err("the hosts file in two versions".to_owned()),
        }
    }

    /// Follows the answer from the question on; every step must have a witness.
    fn derive(
        &self,
        name: &Name,
        rtype: RecordType,
        response: &Message,
        mut sets: Vec<Given>,
        occasion: Occasion,
    ) -> Result<Held, String> {
        let (first, mut name) = (name, name.clone());
        let mut held = Held::Fresh;
        for _ in 0..16 {
            // An alias of our own zone that leads back to it by way of others: the public tree's word, not ours.
            if name != *first && name.is_within(&self.estate.own) {
                return Ok(held);
            }
            let take = |sets: &mut Vec<Given>, is_wanted: &dyn Fn(&Given) -> bool| {
                sets.iter().position(is_wanted).map(|at| sets.remove(at))
            };
            let is_renamed = sets.iter().any(|set| set.rtype == RecordType::DNAME && name.is_below(&set.owner));
            let is_end = |set: &Given| set.owner == name && set.rtype == rtype && !is_renamed;
            if let Some(set) = take(&mut sets, &is_end) {
                held = held.max(self.check_set(&set, occasion)?);
                return if sets.is_empty() { Ok(held) } else { Err("it has more than was asked".to_owned()) };
            }
            if let Some(dname) = take(&mut sets, &|set| set.rtype == RecordType::DNAME && name.is_below(&set.owner)) {
                held = held.max(self.check_set(&dname, occasion)?);
                let to = Name::from_wire(&dname.rdatas[0]).map_err(|_| "a DNAME without a name")?.0;
                let Some(Ok(target)) = name.with_ending(&dname.owner, &to) else {
                    return if response.rcode == Rcode::YXDOMAIN { Ok(held) } else { Err("no YXDOMAIN".to_owned()) };
                };
                let cname = take(&mut sets, &|set| set.rtype == RecordType::CNAME && set.owner == name);
                let cname = cname.ok_or("a DNAME without its CNAME")?;
                let leads = Name::from_wire(&cname.rdatas[0]).is_ok_and(|(leads, _)| leads == target);
                if !leads || cname.ttl > dname.ttl || cname.rdatas.len() != 1 {
                    return Err("a CNAME that does not follow from its DNAME".to_owned());
                }
                if rtype == RecordType::CNAME {
                    return if sets.is_empty() { Ok(held) } else { Err("it has more than was asked".to_owned()) };
                }
                name = target.lowered();
            } else if let Some(cname) = take(&mut sets, &|set| set.rtype == RecordType::CNAME && set.owner == name) {
                held = held.max(self.check_set(&cname, occasion)?);
                name = Name::from_wire(&cname.rdatas[0]).map_err(|_| "a CNAME without a name")?.0.lowered();
            } else {
                break;
            }
        }
        if !sets.is_empty() {
            return Err(format!("{} {} is not asked for", sets[0].owner, sets[0].rtype));
        }
        let ttl = response.authority.iter().find(|record| record.rtype == RecordType::SOA).map_or(0, |soa| soa.ttl);
        let denied = if response.rcode == Rcode::NXDOMAIN { What::NoName } else { What::NoType(rtype) };
        let here = self.holds(&name, denied, ttl, occasion);
        // No such top-level domain, no name below it (RFC 8020); the strict believe it of every domain.
        let is_strict = self.estate.settings.minimisation == Minimisation::Strict && !occasion.is_at_once;
        // And what is proved of any domain holds for all below it.
        let most = if is_strict || self.tree.is_signed { name.label_count() } else { 1 };
        let above = || {
            let names = (1..=most).filter(|_| denied == What::NoName);
            names.filter_map(|labels| self.holds(&name.suffix(labels), What::NoName, ttl, occasion)).min()
        };
        let found = here
            .into_iter()
            .chain(above())
            .chain(self.follows(&name, denied))
            .min()
            .ok_or_else(|| format!("nobody said {denied:?} of {name} for {ttl} s"))?;
        Ok(held.max(found))
    }

    fn check_set(&self, set: &Given, occasion: Occasion) -> Result<Held, String> {
        let what = What::Records(set.rtype, fingerprint(set.rdatas.iter().map(Vec::as_slice)));
        let found = self.holds(&set.owner, what, set.ttl, occasion);
        let found = found.into_iter().chain(self.follows(&set.owner, what)).min();
        let found =
            found.ok_or_else(|| format!("nobody said this {} of {} for {} s", set.rtype, set.owner, set.ttl))?;
        if set.rtype != RecordType::NS || found == Held::Stale || self.is_delegated(set, occasion) {
            Ok(found)
        } else if occasion.may_be_stale && set.ttl <= 30 {
            Ok(Held::Stale)
        } else {
            Err(format!("{} NS {} outlives its delegation", set.owner, set.ttl))
        }
    }

    /// Whether this follows from what a secure zone has proven of other names (RFC 8198). Nobody need have said it then; it
    /// must be true, or have been before the zone's data changed.
    fn follows(&self, name: &Name, what: What) -> Option<Held> {
        let rtype = match what {
            What::Records(rtype, _) | What::NoType(rtype) => rtype,
            What::NoName | What::Cut => RecordType::A,
        };
        let zone = self.tree.speaker(name, rtype);
        let is_true = self.tree.is_secure(zone) && crate::server::truth(&self.tree, zone, name, rtype).contains(&what);
        let may_change = || {
            let is_denied = matches!(what, What::NoName | What::NoType(_));
            is_denied && name.labels().any(|label| matches!(label, [b'h', b'0'..=b'3']))
        };
        (is_true || self.tree.is_secure(zone) && may_change()).then_some(Held::Fresh)
    }

    /// What a zone says of its own servers holds no longer than its parent's word for it.
    fn is_delegated(&self, set: &Given, occasion: Occasion) -> bool {
        let number = self.tree.zone_of(&set.owner);
        let placed = &self.tree.zones[number];
        let is_shared = self.tree.hosts.iter().any(|host| {
            let mut above = placed.parent;
            loop {
                if host.ever.contains(&number) && host.ever.contains(&above) {
                    return true;
                }
                if above == 0 {
                    return false;
                }
                above = self.tree.zones[above].parent;
            }
        });
        if number == 0
            || is_shared
            || self.estate.cache_settings.size_bytes < 1 << 20
            || self.rejuvenation > 0
            || self.has_flushed
            || !self.leapt.is_zero()
        {
            return true;
        }
        let occasion = Occasion { slack: occasion.slack + 7, may_be_stale: false, ..occasion };
        self.holds(&set.owner, What::Cut, set.ttl, occasion).is_some()
    }

    /// Whether somebody with authority said `what` of `name`, so that it may be told with `ttl` now.
    fn holds(&self, name: &Name, what: What, ttl: u32, occasion: Occasion) -> Option<Held> {
        let (now, settings) = (self.now.seconds() as i64, &self.estate.cache_settings);
        let most = if matches!(what, What::NoName | What::NoType(_)) { 3_600 } else { 86_400 };
        let least = if matches!(what, What::Records(..)) { settings.min_ttl.as_secs() as u32 } else { 0 };
        let mut best = None;
        for witness in self.witnesses.of(name).filter(|witness| witness.what == what) {
            let kept = if witness.ttl == 0 { 0 } else { witness.ttl.max(least).min(most) };
            let younger = if witness.restarts < self.restarts { self.rejuvenation as i64 } else { 0 };
            let left = witness.at.seconds() as i64 + i64::from(kept) - now + younger + occasion.slack;
            let is_fresh = if occasion.is_at_once { left > 0 } else { left >= 0 };
            if is_fresh && i64::from(ttl) <= left {
                return Some(Held::Fresh);
            }
            let window = i64::from(kept).saturating_mul(bounds::STALE_TTL_FACTOR as i64).min(86_400);
            if occasion.may_be_stale && ttl <= 30 && left + window > 0 {
                best = Some(Held::Stale);
            }
        }
        best
    }

    /// What the cache holds of the world's names is not forged either.
    pub(crate) fn check_memory(&mut self) {
        let types =
            [RecordType::A, RecordType::AAAA, RecordType::NS, RecordType::CNAME, RecordType::DNAME, RecordType::MX];
        let cache = &self.estate.cache;
        let mut found = None;
        let names = self.tree.zones.iter().map(|placed| placed.zone.apex.clone());
        for name in names.chain(self.asked.iter().map(|asked| asked.question.name.lowered())) {
            for rtype in types {
                if let Some(held) = cache.rrset(&name, rtype, self.now)
                    && held.set.rdatas.iter().any(is_poisonous)
                {
                    found = Some(format!("{name} {rtype} is poisoned in the cache"));
                }
            }
            if let Some(cut) = cache.delegation(&name, self.now)
                && cut
                    .servers
                    .iter()
                    .flat_map(|server| &server.glue)
                    .any(|glue| !self.tree.by_address.contains_key(glue))
            {
                found = Some(format!("the zone cut {} is poisoned in the cache", cut.zone));
            }
        }
        if let Some(found) = found {
            self.breach(&found);
        }
    }
}

fn is_poison(record: &Record) -> bool {
    is_poisonous(&record.rdata)
}

fn is_poisonous(rdata: &[u8]) -> bool {
    rdata == POISON_V4 || rdata == POISON_V6 || rdata.windows(7).any(|part| part.eq_ignore_ascii_case(b"\x06poison"))
}
