//! The truth: a random authoritative tree, and who serves which part of it. It changes only where the world says so.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use meridian::base::collections::{Map, keyed};
use meridian::base::{Dice, Instant};
use meridian::dns::{Name, RecordType};

use crate::signing::{self, Manner, Nodes, Signer};

/// TTLs of zone cuts are believed no longer than a day.
const CUT_TTL_MAX: u32 = 86_400;
/// What was under way when a zone moved may still come in.
const UNDER_WAY: Duration = Duration::from_secs(7);

/// An RRset as a zone has it.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) rtype: RecordType,
    pub(crate) ttl: u32,
    pub(crate) rdatas: Vec<Vec<u8>>,
}

/// A zone's content.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) nodes: BTreeMap<Name, Vec<Set>>,
}

/// A zone with its place in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) zone: Zone,
    /// The zone above; the root is its own.
    pub(crate) parent: usize,
    /// Who serves it now.
    pub(crate) hosts: Vec<usize>,
    /// TTL of the parent's word for it.
    pub(crate) cut_ttl: u32,
    /// The last time that it moved to other hosts.
    pub(crate) moved: Option<Instant>,
    /// Its parent names servers that are nowhere (NXNS): nobody can resolve what is in it.
    pub(crate) is_trap: bool,
    /// Its key, if it is signed.
    pub(crate) signer: Option<Arc<Signer>>,
    /// Its parent speaks of another key than it has: nothing of it can be believed.
    pub(crate) is_bogus: bool,
}

/// How a server behaves by nature; faults come from the weather.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    pub(crate) rtt: Duration,
    pub(crate) has_cookies: bool,
    /// Answers with its zone's NS records and their addresses beside.
    pub(crate) is_talkative: bool,
    /// Says FORMERR to EDNS, in a bare header or in a whole message.
    pub(crate) denies_edns: Option<bool>,
    /// Never heard of EDNS.
    pub(crate) ignores_edns: bool,
    /// Says TC=1 to every datagram.
    pub(crate) is_tcp_only: bool,
    /// Gives questions back in small letters.
    pub(crate) folds_case: bool,
    /// Adds records that are none of its business.
    pub(crate) is_liar: bool,
}

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: Name,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) zones: Vec<usize>,
    /// All zones for which it was ever named.
    pub(crate) ever: Vec<usize>,
    /// Zones that were here once, as they were then.
    pub(crate) ghosts: Vec<(usize, Zone)>,
    pub(crate) nature: Nature,
}

/// See the module's text.
pub(crate) struct Tree {
    pub(crate) zones: Vec<Placed>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) by_address: Map<IpAddr, usize>,
    by_apex: Map<Name, usize>,
    by_name: Map<Name, usize>,
    /// Glue is given for siblings too, not only where it is needed.
    has_sibling_glue: bool,
    serial: u32,
    /// Whether the root is signed, and some zones below it.
    pub(crate) is_signed: bool,
}

impl Zone {
    pub(crate) fn set(&self, owner: &Name, rtype: RecordType) -> Option<&Set> {
        self.nodes.get(owner)?.iter().find(|set| set.rtype == rtype)
    }

    /// Whether `name` or anything below it is there.
    pub(crate) fn exists(&self, name: &Name) -> bool {
        self.nodes.range(name..).next().is_some_and(|(owner, _)| owner.is_within(name))
    }

    fn put(&mut self, owner: Name, set: Set) {
        let sets = self.nodes.entry(owner).or_default();
        sets.retain(|held| held.rtype != set.rtype);
        sets.push(set);
    }

    /// What the zone vouches for when it is signed: its own names and its cuts.
    pub(crate) fn vouched(&self) -> Nodes {
        let mut nodes = Nodes::new();
        for (owner, sets) in &self.nodes {
            let mut labels = self.apex.label_count() + 1..=owner.label_count();
            let cut = labels.find(|labels| self.set(&owner.suffix(*labels), RecordType::NS).is_some());
            if cut.is_none_or(|labels| labels == owner.label_count()) {
                let is_kept = |rtype: &RecordType| cut.is_none() || [RecordType::NS, RecordType::DS].contains(rtype);
                nodes.insert(owner.clone(), sets.iter().map(|set| set.rtype).filter(is_kept).collect());
            }
        }
        nodes
    }

    /// The TTL of what the zone denies (RFC 2308 §5), and its SOA.
    pub(crate) fn soa(&self) -> &Set {
        self.set(&self.apex, RecordType::SOA).unwrap()
    }

    pub(crate) fn negative_ttl(&self) -> u32 {
        let soa = self.soa();
        let minimum = soa.rdatas[0].last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
        effective(soa.ttl).min(minimum)
    }
}

/// What a TTL means (RFC 2181 §8).
pub(crate) const fn effective(ttl: u32) -> u32 {
    if ttl & 0x8000_0000 == 0 { ttl } else { 0 }
}

fn label(parent: &Name, labels: &str) -> Name {
    let mut text = labels.to_owned() + ".";
    if !parent.is_root() {
        text += &parent.to_string();
    }
    text.parse().unwrap()
}

fn some_ttl(dice: &mut Dice) -> u32 {
    [0, 1, 5, 5, 12, 12, 30, 60, 60, 300, 300, 3_600, 86_400, i32::MAX as u32, 0x8000_0001][dice.index(15)]
}

impl Tree {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let most = [20, 40, 181][dice.index(3)];
        let count = 20 + dice.index(most);
        let depth_max = 3 + dice.index(4);
        let mut tree = Self {
            zones: Vec::new(),
            hosts: Vec::new(),
            by_address: Map::with_hasher(keyed(dice)),
            by_apex: Map::with_hasher(keyed(dice)),
            by_name: Map::with_hasher(keyed(dice)),
            has_sibling_glue: dice.chance(500),
            serial: 0,
            is_signed: false,
        };
        let mut providers = Vec::new();
        for number in 0..count {
            let top = 1 + dice.index(4).min(count / 8);
            let parent = if number <= top { 0 } else { 1 + dice.index(number - 1) };
            let parent = if number > 0 && tree.depth(parent) + 1 >= depth_max { dice.index(top) + 1 } else { parent };
            let apex = match number {
                0 => Name::root(),
                _ if number <= top => label(&Name::root(), ["example", "alpha", "beta", "gamma", "delta"][number - 1]),
                _ if dice.chance(150) => label(&tree.zones[parent].zone.apex, &format!("z{number}.ent{}", number % 7)),
                _ => label(&tree.zones[parent].zone.apex, &format!("z{number}")),
            };
            tree.add_zone(apex, parent, dice);
            let provided = number > top && !providers.is_empty() && dice.chance(350);
            let hosts = if provided {
                tree.hosts_of_provider(providers[dice.index(providers.len())], dice)
            } else {
                if number > top && tree.depth(number) <= 2 {
                    providers.push(number);
                }
                let most = if dice.chance(100) { 13 } else { 4 };
                let names = 1 + dice.index(most);
                (0..names).map(|at| tree.add_host(number, at, dice)).collect()
            };
            tree.delegate(number, hosts);
        }
        for number in 0..count {
            tree.fill(number, dice);
        }
        if dice.chance(300) {
            for _ in 0..=dice.index(4) {
                tree.set_trap(dice);
            }
        }
        tree
    }

    /// Signs the root and most zones below it, at about `wall` seconds since 1970. Some have no DS, and so count as unsigned;
    /// some the DS of a key that they do not have.
    pub(crate) fn be_signed(&mut self, wall: u32, dice: &mut Dice) {
        self.is_signed = true;
        for host in &mut self.hosts {
            (host.nature.denies_edns, host.nature.ignores_edns) = (None, false);
        }
        for number in 0..self.zones.len() {
            let placed = &self.zones[number];
            let is_high = number == 0 || placed.parent == 0;
            if placed.is_trap || !is_high && dice.chance(250) {
                continue;
            }
            let (apex, parent, cut_ttl) = (placed.zone.apex.clone(), placed.parent, placed.cut_ttl);
            let manner = [Manner::Nsec, Manner::Nsec3, Manner::OptOut][dice.index(3)];
            let life = (wall - 86_400, wall + 30 * 86_400);
            let signer = Signer::new(&apex, 1, manner, life);
            let keys = Set { rtype: RecordType::DNSKEY, ttl: 300, rdatas: vec![signer.dnskey().to_vec()] };
            self.zones[number].zone.put(apex.clone(), keys);
            self.zones[number].signer = Some(Arc::new(signer));
            let is_island = !is_high && dice.chance(100);
            if number > 0 && !is_island {
                let is_bogus = !is_high && dice.chance(80);
                let ds = signing::ds(&apex, if is_bogus { 2 } else { 1 });
                self.zones[parent].zone.put(apex, Set { rtype: RecordType::DS, ttl: cut_ttl, rdatas: vec![ds] });
                self.zones[number].is_bogus = is_bogus;
            }
        }
    }

    /// Whether each zone on the way from the root to this one is signed and has a DS.
    pub(crate) fn is_secure(&self, mut zone: usize) -> bool {
        while zone != 0 {
            let placed = &self.zones[zone];
            let above = &self.zones[placed.parent];
            let has_ds = above.zone.set(&placed.zone.apex, RecordType::DS).is_some();
            if placed.signer.is_none() || placed.is_bogus || !has_ds {
                return false;
            }
            zone = placed.parent;
        }
        self.is_signed
    }

    /// Whether the first zone on the way from the root to this one that is not secure is bogus.
    pub(crate) fn is_bogus(&self, mut zone: usize) -> bool {
        while zone != 0 {
            let placed = &self.zones[zone];
            if placed.is_bogus && self.is_secure(placed.parent) {
                return true;
            }
            zone = placed.parent;
        }
        false
    }

    /// The zone that speaks of a name and type.
    pub(crate) fn speaker(&self, name: &Name, rtype: RecordType) -> usize {
        let zone = self.zone_of(name);
        let is_above = rtype == RecordType::DS && zone != 0 && self.zones[zone].zone.apex == *name;
        if is_above { self.zones[zone].parent } else { zone }
    }

    pub(crate) fn depth(&self, mut zone: usize) -> usize {
        let mut depth = 0;
        while zone != 0 {
            zone = self.zones[zone].parent;
            depth += 1;
        }
        depth
    }

    fn add_zone(&mut self, apex: Name, parent: usize, dice: &mut Dice) {
        let cut_ttl = [5, 10, 20, 30, 60, 300, 3_600, 86_400, i32::MAX as u32][dice.index(9)];
        let mut zone = Zone { apex: apex.clone(), nodes: BTreeMap::new() };
        let mut soa = vec![2, b'n', b's'];
        soa.extend(apex.wire());
        soa.extend([1, b'h']);
        soa.extend(apex.wire());
        for number in [1, 7_200, 3_600, 1_209_600, [0, 2, 5, 30, 300, 90_000][dice.index(6)]] {
            soa.extend(u32::to_be_bytes(number));
        }
        let ttl = [5, 60, 3_600][dice.index(3)];
        zone.put(apex.clone(), Set { rtype: RecordType::SOA, ttl, rdatas: vec![soa] });
        self.by_apex.insert(apex, self.zones.len());
        self.zones.push(Placed {
            zone,
            parent,
            hosts: Vec::new(),
            cut_ttl,
            moved: None,
            is_trap: false,
            signer: None,
            is_bogus: false,
        });
    }

    /// A zone that its parent delegates to a crowd of servers that are nowhere.
    fn set_trap(&mut self, dice: &mut Dice) {
        let number = self.zones.len();
        let parent = 1 + dice.index(number - 1);
        if self.zones[parent].is_trap {
            return;
        }
        let apex = label(&self.zones[parent].zone.apex, &format!("trap{number}"));
        self.add_zone(apex.clone(), parent, dice);
        self.zones[number].is_trap = true;
        let servers = (0..13).map(|at| {
            let place = self.zones[dice.index(number)].zone.apex.clone();
            label(&place, &format!("nx{at}.t{number}")).wire().to_vec()
        });
        let set = Set { rtype: RecordType::NS, ttl: 60, rdatas: servers.collect() };
        self.zones[parent].zone.put(apex, set);
    }

    /// A new server with a name of its own in `zone`.
    fn add_host(&mut self, zone: usize, at: usize, dice: &mut Dice) -> usize {
        let number = self.hosts.len();
        let apex = self.zones[zone].zone.apex.clone();
        let name = label(&apex, &format!("ns{at}x{number}"));
        let (high, low) = ((number >> 8) as u8, number as u8);
        let v4 = IpAddr::from(Ipv4Addr::new(198, 18, high, low));
        let v6 = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, number as u16));
        // Whoever serves the upper zones has IPv4, so that no world depends on IPv6 alone.
        let addresses = match dice.below(10) {
            0 if at > 0 => vec![v6],
            1..=4 => vec![v4, v6],
            _ => vec![v4],
        };
        let mut nature = Nature {
            rtt: Duration::from_micros(500 + dice.below(60_000)),
            has_cookies: dice.chance(300),
            is_talkative: dice.chance(400),
            denies_edns: dice.chance(60).then(|| dice.chance(500)),
            ignores_edns: dice.chance(60),
            is_tcp_only: dice.chance(40),
            folds_case: dice.chance(40),
            is_liar: dice.chance(250),
        };
        if self.is_signed {
            // Who never heard of EDNS serves no signed zone.
            (nature.denies_edns, nature.ignores_edns) = (None, false);
        }
        for address in &addresses {
            self.by_address.insert(*address, number);
            let (rtype, rdata) = match address {
                IpAddr::V4(v4) => (RecordType::A, v4.octets().to_vec()),
                IpAddr::V6(v6) => (RecordType::AAAA, v6.octets().to_vec()),
            };
            let set = Set { rtype, ttl: [5, 60, 3_600][number % 3], rdatas: vec![rdata] };
            self.zones[zone].zone.put(name.clone(), set);
        }
        self.by_name.insert(name.clone(), number);
        self.hosts.push(Host { name, addresses, zones: Vec::new(), ever: Vec::new(), ghosts: Vec::new(), nature });
        number
    }

    fn hosts_of_provider(&self, provider: usize, dice: &mut Dice) -> Vec<usize> {
        let mut hosts = self.zones[provider].hosts.clone();
        dice.shuffle(&mut hosts);
        hosts.truncate(1 + dice.index(3));
        // Its first host has IPv4.
        if !hosts.contains(&self.zones[provider].hosts[0]) {
            hosts.push(self.zones[provider].hosts[0]);
        }
        hosts
    }

    /// Writes who serves `zone` into the zone and its parent.
    fn delegate(&mut self, zone: usize, hosts: Vec<usize>) {
        let rdatas: Vec<Vec<u8>> = hosts.iter().map(|host| self.hosts[*host].name.wire().to_vec()).collect();
        for host in &hosts {
            self.hosts[*host].zones.push(zone);
            self.hosts[*host].ever.push(zone);
        }
        let (apex, parent, cut_ttl) =
            (self.zones[zone].zone.apex.clone(), self.zones[zone].parent, self.zones[zone].cut_ttl);
        let own_ttl = [30, 300, 86_400][zone % 3]; // what the child says may be more than its parent's word
        let own = Set { rtype: RecordType::NS, ttl: own_ttl, rdatas: rdatas.clone() };
        self.zones[zone].zone.put(apex.clone(), own);
        if zone != 0 {
            self.zones[parent].zone.put(apex, Set { rtype: RecordType::NS, ttl: cut_ttl, rdatas });
        }
        self.zones[zone].hosts = hosts;
    }

    fn address_rdata(&mut self) -> Vec<u8> {
        self.serial += 1;
        let [_, a, b, c] = self.serial.to_be_bytes();
        vec![100, 64 + (a & 63), b, c]
    }

    fn some_set(&mut self, dice: &mut Dice) -> Set {
        let count = if dice.chance(30) { 60 } else { 1 + dice.index(3) };
        let ttl = some_ttl(dice);
        match dice.below(6) {
            0 => Set {
                rtype: RecordType::AAAA,
                ttl,
                rdatas: (0..count)
                    .map(|_| [&[0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0][..], &self.address_rdata()].concat())
                    .collect(),
            },
            1 => {
                let target = self.some_name(dice);
                Set { rtype: RecordType::MX, ttl, rdatas: vec![[&[0, 10][..], target.wire()].concat()] }
            }
            2 => {
                let length = if dice.chance(300) { 200 } else { 9 };
                let text = |tree: &mut Self| {
                    let mut rdata = vec![length];
                    rdata.extend(tree.address_rdata().iter().cycle().take(usize::from(length)));
                    rdata
                };
                Set { rtype: RecordType::TXT, ttl, rdatas: (0..count).map(|_| text(self)).collect() }
            }
            _ => Set { rtype: RecordType::A, ttl, rdatas: (0..count).map(|_| self.address_rdata()).collect() },
        }
    }

    /// The name of something somewhere, that there may or may not be.
    pub(crate) fn some_name(&self, dice: &mut Dice) -> Name {
        let zone = &self.zones[dice.index(self.zones.len())].zone;
        match dice.below(12) {
            0 => zone.apex.clone(),
            1 => label(&zone.apex, "ghostly"),
            2 => label(&zone.apex, "any.w"),
            3 => label(&zone.apex, "deep.d"),
            4 => label(&zone.apex, "e"),
            5 => label(&zone.apex, &format!("c{}", dice.below(2))),
            _ => label(&zone.apex, &format!("h{}", dice.below(4))),
        }
    }

    fn fill(&mut self, zone: usize, dice: &mut Dice) {
        let apex = self.zones[zone].zone.apex.clone();
        for number in 0..=dice.index(4) {
            let set = self.some_set(dice);
            self.zones[zone].zone.put(label(&apex, &format!("h{number}")), set);
        }
        if dice.chance(500) {
            let set = self.some_set(dice);
            self.zones[zone].zone.put(label(&apex, "x.y.e"), set); // e. and y.e. are empty non-terminals
        }
        if dice.chance(300) {
            let set = self.some_set(dice);
            self.zones[zone].zone.put(apex.clone(), set);
        }
        for number in 0..dice.index(3) {
            let target = self.some_name(dice);
            let set = Set { rtype: RecordType::CNAME, ttl: some_ttl(dice), rdatas: vec![target.wire().to_vec()] };
            self.zones[zone].zone.put(label(&apex, &format!("c{number}")), set);
        }
        if dice.chance(300) {
            let set = if dice.chance(200) {
                let target = self.some_name(dice);
                Set { rtype: RecordType::CNAME, ttl: some_ttl(dice), rdatas: vec![target.wire().to_vec()] }
            } else {
                self.some_set(dice)
            };
            self.zones[zone].zone.put(label(&apex, "*.w"), set);
        }
        if dice.chance(250) {
            let target = match dice.below(8) {
                0 => format!("{}.long.example.", "a".repeat(60)).repeat(1),
                _ => self.zones[dice.index(self.zones.len())].zone.apex.to_string(),
            };
            let target: Name = target.parse().unwrap();
            let set = Set { rtype: RecordType::DNAME, ttl: some_ttl(dice), rdatas: vec![target.wire().to_vec()] };
            self.zones[zone].zone.put(label(&apex, "d"), set);
        }
    }

    /// The deepest zone around `name`.
    pub(crate) fn zone_of(&self, name: &Name) -> usize {
        let mut at = Some(name.clone());
        while let Some(name) = at {
            if let Some(zone) = self.by_apex.get(&name) {
                return *zone;
            }
            at = name.parent();
        }
        0
    }

    /// Whether a server has this name.
    pub(crate) fn is_server(&self, name: &Name) -> bool {
        self.by_name.contains_key(name)
    }

    /// The addresses that a referral of a zone at `apex` brings along for the servers of `child`.
    pub(crate) fn glue(&self, apex: &Name, child: &Name, server: &Name) -> &[IpAddr] {
        let is_given = server.is_within(apex) && (server.is_within(child) || self.has_sibling_glue);
        match self.by_name.get(server) {
            Some(host) if is_given => &self.hosts[*host].addresses,
            _ => &[],
        }
    }

    /// Whether what `host` says of `zone` may be believed: it serves the zone or one above it, or did so a short while
    /// ago, and a parent's old word for it may still be kept.
    pub(crate) fn is_believed(&self, host: usize, zone: usize, now: Instant) -> bool {
        let mut at = zone;
        loop {
            let placed = &self.zones[at];
            let ttl = Duration::from_secs(u64::from(placed.cut_ttl.min(CUT_TTL_MAX)));
            if placed.hosts.contains(&host) || placed.moved.is_some_and(|moved| now <= moved + ttl + UNDER_WAY) {
                return true;
            }
            if at == 0 {
                return false;
            }
            at = placed.parent;
        }
    }

    /// Whether no zone on the way to `name` moved so short a while ago that its old servers may be asked.
    pub(crate) fn is_settled(&self, name: &Name, now: Instant) -> bool {
        let mut at = self.zone_of(name);
        while at != 0 {
            let placed = &self.zones[at];
            let ttl = Duration::from_secs(u64::from(placed.cut_ttl.min(CUT_TTL_MAX)));
            let of_servers = placed.hosts.iter().map(|host| &self.hosts[*host].name);
            if placed.moved.is_some_and(|moved| now <= moved + ttl + UNDER_WAY)
                || of_servers
                    .into_iter()
                    .any(|server| !server.is_within(&placed.zone.apex) && !self.is_settled(server, now))
            {
                return false;
            }
            at = placed.parent;
        }
        true
    }

    /// One RRset somewhere gets new data.
    pub(crate) fn change(&mut self, dice: &mut Dice) {
        let zone = dice.index(self.zones.len());
        let owner = label(&self.zones[zone].zone.apex, &format!("h{}", dice.below(4)));
        let nodes = &mut self.zones[zone].zone.nodes;
        if nodes.contains_key(&owner) && dice.chance(200) {
            nodes.remove(&owner);
        } else {
            let set = self.some_set(dice);
            self.zones[zone].zone.put(owner, set);
        }
    }

    /// A zone moves to other servers; the old ones may go on serving it as it was.
    pub(crate) fn move_zone(&mut self, now: Instant, dice: &mut Dice) -> usize {
        let zone = 1 + dice.index(self.zones.len() - 1);
        if self.zones[zone].is_trap {
            return zone;
        }
        let old = std::mem::take(&mut self.zones[zone].hosts);
        let is_haunted = dice.chance(700);
        let frozen = self.zones[zone].zone.clone();
        for host in old {
            self.hosts[host].zones.retain(|held| *held != zone);
            // Who serves a zone above speaks of this one with that zone's authority.
            let mut above = self.zones[zone].parent;
            let is_above = loop {
                if self.hosts[host].ever.contains(&above) {
                    break true;
                }
                if above == 0 {
                    break false;
                }
                above = self.zones[above].parent;
            };
            if is_haunted && !is_above {
                self.hosts[host].ghosts.push((zone, frozen.clone()));
                self.hosts[host].nature.is_talkative = true; // it would love to be renewed
            }
        }
        let hosts: Vec<usize> = (0..=dice.index(2)).map(|at| self.add_host(zone, at, dice)).collect();
        self.delegate(zone, hosts);
        self.zones[zone].moved = Some(now);
        // The new servers' data are other data.
        let owners: Vec<Name> =
            (0..4).map(|number| label(&self.zones[zone].zone.apex, &format!("h{number}"))).collect();
        for owner in owners {
            if self.zones[zone].zone.nodes.contains_key(&owner) {
                self.zones[zone].zone.nodes.remove(&owner);
                let set = self.some_set(dice);
                self.zones[zone].zone.put(owner, set);
            }
        }
        zone
    }
}
