//! Tells a story: reads its lines one after the other, builds the world, moves it, and compares.
//!
//! The lines are described in `README.md` beside the stories.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meridian::app::config::{self, Machine};
use meridian::base::tally::Event;
use meridian::base::{Network, NetworkSet};
use meridian::chain::Carrier;
use meridian::dns::cookie::{CookieSecret, CookieSecrets};
use meridian::dns::edns::option;
use meridian::dns::{Class, Edns, Message, Name, Record, RecordType};
use meridian::handlers::gate::Cookies;
use meridian::handlers::resolve::{Families, Minimisation, Stub, Transport};

use crate::cluster;
use crate::script::Story;
use crate::server::{Action, Rule, Scripted, Server, Zone, bytes_of};
use crate::signing::{self, Manner, Signer};
use crate::text;
use crate::world::{Asked, START, Setup, WALL, World, query};

const DAY: u32 = 86_400;

/// Tells `story`; on failure, what went wrong and all that happened.
pub(crate) fn tell(story: &Story) -> Result<(), String> {
    let mut teller = Teller::default();
    let mut result = Ok(());
    let mut at = 0;
    for (line, text) in &story.lines {
        at = *line;
        result = teller.tell(text);
        if result.is_err() {
            break;
        }
    }
    if result.is_ok()
        && let Some(world) = &mut teller.world
    {
        result = world.end();
    }
    result.map_err(|why| {
        let mut text = format!("{}:{at}: {}\n    {why}\n", story.file, story.claim);
        if let Some(world) = &teller.world {
            if let Some(response) = teller.current().and_then(|asked| asked.response.as_ref())
                && let Ok(message) = Message::parse(&response.1)
            {
                text += &text::dig(&message, ede(&message).as_ref());
            }
            text +=
                &world.log.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
            text += "\n";
        }
        text
    })
}

#[derive(Default)]
struct Teller {
    setup: Setup,
    servers: BTreeMap<IpAddr, Server>,
    world: Option<World>,
    /// The zone that record lines go to.
    zone: Option<(IpAddr, Name)>,
    /// The zone of our own that they go to instead.
    own: Option<Name>,
    /// The server whose last rule's script sections go to.
    scripted: Option<IpAddr>,
    /// The label of the query that `expect` looks at.
    label: String,
    /// Upstream queries before this one are not counted.
    mark: usize,
    labels: u32,
}

type Told = Result<(), String>;

impl Teller {
    fn tell(&mut self, line: &str) -> Told {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((&command, rest)) = words.split_first() else { return Ok(()) };
        if command.ends_with('.') {
            return self.add_record(&words);
        }
        if !matches!(command, "answer" | "authority" | "additional" | "repeat") {
            self.scripted = None;
        }
        match command {
            "repeat" => self.repeat(rest),
            "config" => self.config(rest),
            "hosts" => {
                self.hosts(rest);
                Ok(())
            }
            "forward" => {
                let (zone, addresses) = rest.split_first().ok_or("forward ZONE ADDRESS…")?;
                self.setup.settings.forward.push(text::name(zone)?);
                self.setup.cache.forwarded.push(text::name(zone)?);
                self.setup.forwarders.push(addresses.iter().map(|word| ip(word)).collect::<Result<_, _>>()?);
                Ok(())
            }
            "anchor" => {
                let (zone, number) = match rest {
                    [zone] => (text::name(zone)?, 1),
                    [zone, "key", number] => (text::name(zone)?, count(number)?),
                    _ => return Err("anchor ZONE [key N]".into()),
                };
                let added = self.setup.anchors.add(&zone, RecordType::DS, &signing::ds(&zone, number));
                added.map_err(|fault| fault.to_string())
            }
            "negative" => {
                let [zone] = rest else { return Err("negative ZONE".into()) };
                self.setup.negative.push(text::name(zone)?);
                Ok(())
            }
            "stub" => {
                let (zone, addresses) = rest.split_first().ok_or("stub ZONE ADDRESS…")?;
                let servers: Result<Vec<_>, _> = addresses.iter().map(|word| ip(word)).collect();
                let servers = servers?.into_iter().map(|address| SocketAddr::new(address, 53)).collect();
                self.setup.cache.forwarded.push(text::name(zone)?);
                self.setup.settings.stubs.push(Stub { zone: text::name(zone)?, servers });
                Ok(())
            }
            "server" => self.server(rest),
            "own" => {
                let [apex] = rest else { return Err("own APEX".into()) };
                let apex = text::name(apex)?;
                self.setup.own.entry(apex.clone()).or_default();
                self.own = Some(apex);
                Ok(())
            }
            "namespace" | "pod" | "service" | "gone" | "cluster" => self.cluster(&words),
            "on" => self.rule(rest),
            "answer" | "authority" | "additional" => self.script(command, rest),
            "down" | "up" | "rtt" | "cookies" | "talkative" | "obey" => self.change(command, rest),
            "begin" | "ask" => self.ask(command == "ask", rest),
            "send" => self.send(rest),
            "finish" => {
                self.finish(rest.first().copied().unwrap_or_default());
                Ok(())
            }
            "pass" => {
                let duration = duration(rest.first().ok_or("pass DURATION")?)?;
                let world = self.world();
                world.run(world.now + duration, |_| false);
                Ok(())
            }
            "stall" => {
                let span = duration(rest.first().ok_or("stall DURATION")?)?;
                self.world().stall(span);
                Ok(())
            }
            "patience" => {
                self.setup.patience.tell(duration(rest.first().ok_or("patience DURATION")?)?);
                Ok(())
            }
            "mark" => {
                self.mark = self.world().sent.len();
                Ok(())
            }
            "flush" => {
                let name = text::name(rest.first().ok_or("flush NAME [subtree]")?)?;
                let subtree = rest.get(1) == Some(&"subtree");
                self.world().flush(&name, subtree);
                Ok(())
            }
            "sweep" => {
                self.world().sweep();
                Ok(())
            }
            "expect" => self.expect(rest),
            _ => Err(format!("{command} is no command")),
        }
    }

    fn world(&mut self) -> &mut World {
        let Self { setup, servers, world, .. } = self;
        world.get_or_insert_with(|| World::new(setup, std::mem::take(servers)))
    }

    fn servers(&mut self) -> &mut BTreeMap<IpAddr, Server> {
        match &mut self.world {
            Some(world) => &mut world.servers,
            None => &mut self.servers,
        }
    }

    fn at(&mut self, address: IpAddr) -> Result<&mut Server, String> {
        self.servers().get_mut(&address).ok_or(format!("there is no server {address}"))
    }

    // ---- what is there --------------------------------------------------------------------

    fn config(&mut self, words: &[&str]) -> Told {
        if self.world.is_some() {
            return Err("too late for config: there was a query".into());
        }
        if let ["limits", text @ ..] = words {
            return self.limits(&text.join(" "));
        }
        let [key, value] = words else { return Err("config KEY VALUE".into()) };
        let (setup, seconds) = (&mut self.setup, || value.parse::<u32>().map_err(|_| "no number of seconds"));
        match (*key, *value) {
            ("minimisation", "strict") => setup.settings.minimisation = Minimisation::Strict,
            ("minimisation", "relaxed") => setup.settings.minimisation = Minimisation::Relaxed,
            ("minimisation", "off") => setup.settings.minimisation = Minimisation::Off,
            ("case", "off") => setup.settings.randomises_case = false,
            ("families", "ipv4") => setup.settings.families = Families::Ipv4,
            ("families", "ipv6") => setup.settings.families = Families::Ipv6,
            ("denied", "default") => setup.settings.denied = NetworkSet::never_upstream(),
            ("denied", network) => {
                let network: Network = network.parse().map_err(|_| "no network")?;
                setup.settings.denied = std::iter::once(network).collect();
            }
            ("priming", "on") => setup.is_priming = true,
            ("prefetch", "off") => setup.cache.prefetch = None,
            ("stale", "off") => (setup.cache.stale, setup.stale_wait) = (None, None),
            ("allow", "all") => {
                setup.allow = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
            }
            ("max_ttl", _) => {
                setup.settings.max_ttl = seconds()?;
                setup.cache.max_ttl = Duration::from_secs(seconds()?.into());
            }
            ("min_ttl", _) => {
                setup.settings.min_ttl = seconds()?;
                setup.cache.min_ttl = Duration::from_secs(seconds()?.into());
            }
            ("max_negative_ttl", _) => {
                setup.settings.max_negative_ttl = seconds()?;
                setup.cache.max_negative_ttl = Duration::from_secs(seconds()?.into());
            }
            ("recursions", _) => setup.capacity.recursions = seconds()? as usize,
            ("per_client", _) => setup.capacity.per_client = seconds()?,
            ("per_zone", _) => setup.settings.questions_per_zone = seconds()? as usize,
            ("seed", _) => setup.seed = seconds()?.into(),
            _ => return Err(format!("config {key} {value} is unknown")),
        }
        Ok(())
    }

    fn cluster(&mut self, words: &[&str]) -> Told {
        let Self { setup, world, .. } = self;
        match (words, cluster::object(words)) {
            (_, Some(object)) => {
                let object = object?;
                match world {
                    Some(world) => world.in_cluster(|links| links.put(object)),
                    None => setup.cluster.get_or_insert_default().add(object),
                }
            }
            (["cluster", rest @ ..], None) if world.is_none() => {
                setup.cluster.get_or_insert_default().configure(rest)?;
            }
            (["gone", rest @ ..], None) => match world {
                Some(world) => world.in_cluster(|links| links.remove(rest))?,
                None => return Err("nothing was there before the first query".into()),
            },
            _ => return Err("too late, or no line about a cluster".into()),
        }
        Ok(())
    }

    fn hosts(&mut self, words: &[&str]) {
        if words == ["clear"] {
            self.setup.hosts.clear();
        } else {
            self.setup.hosts += &(words.join(" ") + "\n");
        }
        if let Some(world) = &mut self.world {
            world.change_hosts(&self.setup.hosts);
        }
    }

    fn server(&mut self, words: &[&str]) -> Told {
        let [address, "zone", apex, rest @ ..] = words else { return Err("server ADDRESS zone APEX".into()) };
        let (address, apex) = (ip(address)?, text::name(apex)?);
        let signer = self.signer(&apex, rest)?;
        self.servers().entry(address).or_insert_with(|| Server { rtt: Duration::from_millis(10), ..Server::default() });
        self.own = None;
        let server = self.at(address)?;
        server.zones.retain(|zone| zone.apex != apex); // told again, a zone is another
        let keys = signer.iter().map(|signer| Record {
            owner: apex.clone(),
            rtype: RecordType::DNSKEY,
            class: Class::IN,
            ttl: text::TTL,
            rdata: signer.dnskey().into(),
        });
        let records = keys.collect();
        server.zones.push(Zone { apex: apex.clone(), records, signer: signer.map(Arc::new) });
        self.zone = Some((address, apex));
        Ok(())
    }

    /// `signed [nsec3|optout] [key N] [from D] [until D]`; the signatures hold from a day before to two weeks after now.
    fn signer(&mut self, apex: &Name, words: &[&str]) -> Result<Option<Signer>, String> {
        let Some((&"signed", mut rest)) = words.split_first() else {
            return if words.is_empty() { Ok(None) } else { Err("server ADDRESS zone APEX [signed …]".into()) };
        };
        let now = WALL + self.world.as_ref().map_or(0, |world| world.now.since(START).as_secs() as u32);
        let (mut manner, mut number, mut inception, mut expiration) = (Manner::Nsec, 1, now - DAY, now + 14 * DAY);
        while !rest.is_empty() {
            rest = match rest {
                ["nsec3", rest @ ..] => {
                    manner = Manner::Nsec3;
                    rest
                }
                ["optout", rest @ ..] => {
                    manner = Manner::OptOut;
                    rest
                }
                ["key", word, rest @ ..] => {
                    number = count(word)?;
                    rest
                }
                ["from", word, rest @ ..] => {
                    inception = now + duration(word)?.as_secs() as u32;
                    rest
                }
                ["until", word, rest @ ..] => {
                    expiration = now + duration(word)?.as_secs() as u32;
                    rest
                }
                _ => return Err(format!("signed how? {}", rest.join(" "))),
            };
        }
        Ok(Some(Signer::new(apex, number, manner, (inception, expiration))))
    }

    fn add_record(&mut self, words: &[&str]) -> Told {
        if let Some(apex) = &self.own {
            let text = self.setup.own.entry(apex.clone()).or_default();
            *text += &(words.join(" ") + "\n");
            return Ok(());
        }
        // `DS key [N]`: the digest of the owner's key.
        let digest = match words {
            [owner, .., "DS", "key"] => text::octets(&signing::ds(&text::name(owner)?, 1)),
            [owner, .., "DS", "key", number] => text::octets(&signing::ds(&text::name(owner)?, count(number)?)),
            _ => String::new(),
        };
        let mut words = words.to_vec();
        if let Some(at) = words.iter().position(|word| *word == "key").filter(|_| !digest.is_empty()) {
            words.splice(at.., ["\\#", digest.as_str()]);
        }
        let (record, _) = text::record(&words)?;
        let (address, apex) = self.zone.clone().ok_or("a record before any server")?;
        if !record.owner.is_within(&apex) && !record.owner.label_count() > 0 {
            return Err("the record lies outside the zone".into());
        }
        let zones = &mut self.at(address)?.zones;
        let zone = zones.iter_mut().find(|zone| zone.apex == apex).ok_or("no such zone")?;
        zone.records.push(record);
        Ok(())
    }

    /// The block `limits`, as in a configuration; cookies are made with a secret of ones.
    fn limits(&mut self, block: &str) -> Told {
        let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
        let checked = config::load(Path::new("limits"), format!("limits: {block}").as_bytes(), &machine)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let limits = checked.config.limits;
        self.setup.limits = limits.rates;
        let secrets = CookieSecrets { first: CookieSecret([1; 16]), second: None };
        self.setup.cookies = Cookies(limits.cookies.map(|_| secrets));
        Ok(())
    }

    /// The cookie of the last response.
    fn returned_cookie(&self) -> Result<Vec<u8>, String> {
        let (message, _) = self.response()?;
        let cookie = message.edns.as_ref().and_then(|edns| edns.option(option::COOKIE));
        cookie.map(<[u8]>::to_vec).ok_or("there is no cookie".into())
    }

    /// `repeat N LINE`: the line N times, `{}` being 1, 2, 3 … and `{+1}` one more.
    fn repeat(&mut self, words: &[&str]) -> Told {
        let (count, line) = words.split_first().ok_or("repeat N LINE")?;
        let count: u32 = count.parse().map_err(|_| "repeat N LINE")?;
        let line = line.join(" ");
        for number in 1..=count {
            let high = number / 250;
            let line = line
                .replace("{}", &number.to_string())
                .replace("{+1}", &(number + 1).to_string())
                .replace("{hi}", &high.to_string())
                .replace("{lo}", &(number % 250).to_string())
                .replace("{byte}", &format!("{:02x}", number % 256));
            self.tell(&line)?;
        }
        Ok(())
    }

    fn rule(&mut self, words: &[&str]) -> Told {
        let (address, mut rest) = words.split_first().ok_or("on ADDRESS … ACTION")?;
        let address = ip(address)?;
        let mut rule = Rule {
            name: None,
            rtype: None,
            transport: None,
            has_edns: None,
            range: (1, u32::MAX),
            seen: 0,
            action: Action::Silent,
        };
        let number = |word: &str| word.parse::<u32>().map_err(|_| format!("{word} is no number"));
        loop {
            rest = match rest {
                ["name", name, rest @ ..] => {
                    rule.name = Some(text::name(name)?);
                    rest
                }
                ["type", rtype, rest @ ..] => {
                    rule.rtype = Some(rtype.parse().map_err(|_| "no type")?);
                    rest
                }
                ["udp", rest @ ..] => {
                    rule.transport = Some(Transport::Udp);
                    rest
                }
                ["tcp", rest @ ..] => {
                    rule.transport = Some(Transport::Tcp);
                    rest
                }
                ["edns", rest @ ..] => {
                    rule.has_edns = Some(true);
                    rest
                }
                ["noedns", rest @ ..] => {
                    rule.has_edns = Some(false);
                    rest
                }
                ["first", count, rest @ ..] => {
                    rule.range = (1, number(count)?);
                    rest
                }
                ["after", count, rest @ ..] => {
                    rule.range = (number(count)? + 1, u32::MAX);
                    rest
                }
                _ => break,
            };
        }
        rule.action = match rest {
            ["silent"] => Action::Silent,
            ["unreachable"] => Action::Unreachable,
            ["rcode", code] => Action::Rcode { rcode: rcode(code)?, is_bare: false },
            ["rcode", code, "bare"] => Action::Rcode { rcode: rcode(code)?, is_bare: true },
            ["truncate"] => Action::Truncate,
            ["delay", time] => Action::Delay(duration(time)?),
            ["junk", kind] if crate::server::JUNK.contains(kind) => Action::Junk((*kind).to_owned()),
            ["lose", share] => Action::Lose(10 * number(share.trim_end_matches('%'))?),
            ["fold"] => Action::Fold,
            ["plain"] => Action::Plain,
            ["strip"] => Action::Strip,
            ["withhold", rtype] => Action::Withhold(rtype.parse().map_err(|_| "no type")?),
            ["alter"] => Action::Alter,
            ["badcookie"] => Action::BadCookie,
            ["honest"] => Action::Honest,
            ["add"] => Action::Add(Scripted::default()),
            ["reply", flags @ ..] => {
                let mut scripted = Scripted::default();
                for flag in flags {
                    match *flag {
                        "aa" => scripted.is_authoritative = true,
                        code => scripted.rcode = rcode(code)?,
                    }
                }
                Action::Reply(scripted)
            }
            _ => return Err(format!("no action: {}", rest.join(" "))),
        };
        self.scripted = matches!(rule.action, Action::Add(_) | Action::Reply(_)).then_some(address);
        self.at(address)?.rules.push(rule);
        Ok(())
    }

    fn script(&mut self, section: &str, words: &[&str]) -> Told {
        let address = self.scripted.ok_or("no reply or add before this line")?;
        let (record, _) = text::record(words)?;
        let rule = self.at(address)?.rules.last_mut().ok_or("no rule")?;
        let (Action::Add(scripted) | Action::Reply(scripted)) = &mut rule.action else { return Err("no rule".into()) };
        match section {
            "answer" => scripted.answer.push(record),
            "authority" => scripted.authority.push(record),
            _ => scripted.additional.push(record),
        }
        Ok(())
    }

    fn change(&mut self, command: &str, words: &[&str]) -> Told {
        let (who, rest) = words.split_first().ok_or("whose?")?;
        let addresses: Vec<IpAddr> = match *who {
            "all" => self.servers().keys().copied().collect(),
            address => vec![ip(address)?],
        };
        for address in addresses {
            let server = self.at(address)?;
            match command {
                "down" => server.is_down = true,
                "up" => server.is_down = false,
                "rtt" => server.rtt = duration(rest.first().ok_or("rtt WHO DURATION")?)?,
                "cookies" => server.has_cookies = true,
                "talkative" => server.is_talkative = true,
                _ => server.rules.clear(),
            }
        }
        Ok(())
    }

    // ---- what happens ---------------------------------------------------------------------

    fn ask(&mut self, is_finished: bool, words: &[&str]) -> Told {
        let [name, rtype, rest @ ..] = words else { return Err("ask NAME TYPE …".into()) };
        let rtype: RecordType = rtype.parse().map_err(|_| format!("{rtype} is no type"))?;
        let mut message = query(0, text::name(name)?, rtype);
        let mut edns = Edns { udp_size: 1232, ..Edns::default() };
        let (mut has_edns, mut carrier, mut times, mut port) = (true, Carrier::Udp, 1, 4_000);
        let mut from: IpAddr = IpAddr::from([127, 0, 0, 1]);
        self.labels += 1;
        let mut label = format!("#{}", self.labels);
        let mut rest = rest.iter();
        let mut version = 0;
        while let Some(word) = rest.next() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u16>().map_err(|_| format!("{word}: no number"));
            match key {
                "+do" => edns.dnssec_ok = true,
                "+cd" => message.flags.checking_disabled = true,
                "+ad" => message.flags.authentic_data = true,
                "+norec" => message.flags.recursion_desired = false,
                "+tcp" => carrier = Carrier::Tcp,
                "+noedns" => has_edns = false,
                "+bufsize" => edns.udp_size = number()?,
                "+ednsversion" => version = number()? as u8,
                "+cookie" if value == "returned" => edns.options.push((option::COOKIE, self.returned_cookie()?)),
                "+cookie" => edns.options.push((option::COOKIE, text::hex(value)?)),
                "+option" => {
                    let (code, data) = value.split_once(':').unwrap_or((value, "010203"));
                    let code = code.parse().map_err(|_| format!("{word}: no number"))?;
                    edns.options.push((code, text::hex(data)?));
                }
                "+qr" => message.flags.response = true,
                "+tc" => message.flags.truncated = true,
                "+opcode" => message.flags.opcode.0 = number()? as u8,
                "+class" => message.questions[0].class = Class(number()?),
                "+twice" => message.questions.push(message.questions[0].clone()),
                "+noquestion" => message.questions.clear(),
                "+withanswer" => message.answer.push(text::record(&["x.test.", "A", "192.0.2.1"])?.0),
                "+port" => port = number()?,
                "from" => from = ip(rest.next().ok_or("from whom?")?)?,
                "times" => times = rest.next().and_then(|word| word.parse().ok()).ok_or("how many times?")?,
                "as" => label = (*rest.next().ok_or("as what?")?).to_owned(),
                _ => return Err(format!("{word} is no option of ask")),
            }
        }
        edns.version = version;
        message.edns = has_edns.then_some(edns);
        let is_idle = self.world().asked.iter().all(|asked| asked.response.is_some() || asked.is_silenced);
        if is_idle {
            self.mark = self.world().sent.len();
        }
        for _ in 0..times {
            let world = self.world();
            message.id = world.asked.len() as u16 + 100;
            world.ask(&label, &bytes_of(&message), SocketAddr::new(from, port), carrier);
        }
        self.label.clone_from(&label);
        if is_finished {
            self.finish(&label);
        }
        Ok(())
    }

    fn send(&mut self, words: &[&str]) -> Told {
        let bytes = text::hex(&words.concat())?;
        self.labels += 1;
        self.label = format!("#{}", self.labels);
        let label = self.label.clone();
        self.world().ask(&label, &bytes, SocketAddr::from(([127, 0, 0, 1], 4_000)), Carrier::Udp);
        Ok(())
    }

    fn finish(&mut self, label: &str) {
        let is_own = |asked: &&Asked| asked.label == label || label == "all";
        let world = self.world();
        let is_done = |asked: &Asked| asked.response.is_some() || asked.is_silenced;
        world.run(world.now + Duration::from_secs(10), |world| world.asked.iter().filter(is_own).all(is_done));
        if label != "all" {
            label.clone_into(&mut self.label);
        }
    }

    // ---- what must be ---------------------------------------------------------------------

    fn current(&self) -> Option<&Asked> {
        self.world.as_ref()?.asked.iter().rev().find(|asked| asked.label == self.label)
    }

    fn response(&self) -> Result<(Message, Duration), String> {
        let asked = self.current().ok_or("nothing was asked")?;
        let (at, bytes) = asked.response.as_ref().ok_or("there is no response")?;
        Ok((Message::parse(bytes).map_err(|fault| fault.to_string())?, at.since(asked.at)))
    }

    fn expect(&mut self, words: &[&str]) -> Told {
        match words {
            ["no", rest @ ..] => match self.expect(rest) {
                Ok(()) => Err("it is so".into()),
                Err(why)
                    if ["unknown", "is no name", "is no type", "is no address"]
                        .iter()
                        .any(|fault| why.contains(fault)) =>
                {
                    Err(why)
                }
                Err(_) => Ok(()),
            },
            ["waiting"] => match self.current().map(|asked| (&asked.response, asked.is_silenced)) {
                Some((None, false)) => Ok(()),
                _ => Err("it waits no more".into()),
            },
            ["silence"] => match self.current() {
                Some(Asked { response: None, is_silenced: true, .. }) => Ok(()),
                _ => Err("no silence".into()),
            },
            ["answered", count @ ..] => {
                let label = self.label.clone();
                let own = self.world().asked.iter().filter(|asked| asked.label == label);
                compare(count, own.filter(|asked| asked.response.is_some()).count() as f64, "answered")
            }
            ["sent", rest @ ..] => self.expect_sent(rest),
            ["seen", address, name, rest @ ..] => self.expect_seen(address, name, rest),
            ["unseen", address, name, rest @ ..] => match self.expect_seen(address, name, rest) {
                Ok(()) => Err(format!("{address} saw {name}")),
                Err(_) => Ok(()),
            },
            ["counter", name, rest @ ..] => {
                let event = Event::ALL.iter().find(|event| event.name() == *name).ok_or("no such counter")?;
                let count = self.world().count(*event);
                compare(rest, count as f64, name)
            }
            ["took", rest @ ..] => {
                let (_, took) = self.response()?;
                compare(rest, took.as_secs_f64(), "took")
            }
            ["size", rest @ ..] => {
                let size = self.current().and_then(|asked| asked.response.as_ref()).map_or(0, |(_, bytes)| bytes.len());
                compare(rest, size as f64, "size")
            }
            ["ede"] => ede(&self.response()?.0).map(|_| ()).ok_or("there is no EDE".into()),
            ["ede", code, rest @ ..] => {
                let (found, text) = ede(&self.response()?.0).ok_or("there is no EDE")?;
                let is_right = found.to_string() == *code && text.contains(&rest.join(" "));
                if is_right { Ok(()) } else { Err(format!("EDE is {found}: {text}")) }
            }
            ["cookie"] => match self.returned_cookie()?.len() {
                24 => Ok(()),
                length => Err(format!("a cookie of {length} octets")),
            },
            ["keepalive", units @ ..] => {
                let (message, _) = self.response()?;
                let option = message.edns.as_ref().and_then(|edns| edns.option(option::TCP_KEEPALIVE));
                let option =
                    option.ok_or("there is no keepalive option")?.try_into().map_err(|_| "of another length")?;
                if units.is_empty() {
                    Ok(())
                } else {
                    compare(units, f64::from(u16::from_be_bytes(option)), "keepalive")
                }
            }
            ["opt"] => self.response()?.0.edns.map(|_| ()).ok_or("there is no OPT".into()),
            ["question"] => match self.response()?.0.questions.len() {
                0 => Err("there is no question".into()),
                _ => Ok(()),
            },
            [section @ ("answer" | "authority" | "additional"), rest @ ..] => {
                let (message, _) = self.response()?;
                let records = match *section {
                    "answer" => message.answer,
                    "authority" => message.authority,
                    _ => message.additional,
                };
                expect_records(&records, rest)
            }
            [code, flags @ ..] if text::rcode(code).is_some() => {
                let (message, _) = self.response()?;
                if message.rcode.to_string() != *code {
                    return Err(format!("RCODE is {}", message.rcode));
                }
                flags.iter().try_for_each(|flag| expect_flag(&message, flag))
            }
            _ => Err(format!("expect {} is unknown", words.join(" "))),
        }
    }

    fn expect_sent(&mut self, words: &[&str]) -> Told {
        let mark = self.mark;
        let mut rest = words.to_vec();
        let (mut server, mut transport, mut has_edns, mut has_cookie, mut from) = (None, None, None, None, mark);
        let mut kept = Vec::new();
        while let Some(word) = (!rest.is_empty()).then(|| rest.remove(0)) {
            match word {
                "to" => server = Some(ip(rest.remove(0))?),
                "udp" => transport = Some(Transport::Udp),
                "tcp" => transport = Some(Transport::Tcp),
                "edns" => has_edns = Some(true),
                "noedns" => has_edns = Some(false),
                "servercookie" => has_cookie = Some(true),
                "ever" => from = 0,
                other => kept.push(other),
            }
        }
        let world = self.world();
        let count = world.sent[from.min(world.sent.len())..]
            .iter()
            .filter(|sent| server.is_none_or(|server| server == sent.server))
            .filter(|sent| transport.is_none_or(|transport| transport == sent.transport))
            .filter(|sent| has_edns.is_none_or(|has| has == sent.has_edns))
            .filter(|sent| has_cookie.is_none_or(|has| has == sent.has_server_cookie))
            .count();
        compare(&kept, count as f64, "sent")
    }

    fn expect_seen(&mut self, address: &str, name: &str, rest: &[&str]) -> Told {
        let (address, name) = (ip(address)?, text::name(name)?);
        let rtype: Option<RecordType> = rest.first().and_then(|word| word.parse().ok());
        let mark = self.mark;
        let world = self.world();
        let is_seen = world.sent[mark.min(world.sent.len())..].iter().any(|sent| {
            sent.server == address
                && sent.question.name == name
                && rtype.is_none_or(|rtype| rtype == sent.question.rtype)
        });
        if is_seen { Ok(()) } else { Err(format!("{address} never saw {name}")) }
    }
}

fn expect_records(records: &[Record], words: &[&str]) -> Told {
    match words {
        ["empty"] if records.is_empty() => Ok(()),
        ["empty"] => Err(format!("there are {} records", records.len())),
        ["has", rest @ ..] => compare(rest, records.len() as f64, "records"),
        ["ttl", rest @ ..] => records.iter().try_for_each(|record| compare(rest, f64::from(record.ttl), "TTL")),
        _ => {
            // A type alone is enough where the RDATA does not matter.
            if let [owner, rtype] = words {
                let (owner, rtype) = (text::name(owner)?, rtype.parse::<RecordType>().map_err(|_| "no type")?);
                let is_there = records.iter().any(|record| record.owner == owner && record.rtype == rtype);
                return if is_there { Ok(()) } else { Err("no such record".into()) };
            }
            let (wanted, names_ttl) = text::record(words)?;
            let is_there = records.iter().any(|record| {
                record.owner == wanted.owner
                    && record.rtype == wanted.rtype
                    && record.rdata.eq_ignore_ascii_case(&wanted.rdata)
                    && (!names_ttl || record.ttl == wanted.ttl)
            });
            if is_there { Ok(()) } else { Err("no such record".into()) }
        }
    }
}

fn expect_flag(message: &Message, flag: &str) -> Told {
    let (wanted, name) = flag.strip_prefix('!').map_or((true, flag), |name| (false, name));
    let is_set = match name {
        "aa" => message.flags.authoritative,
        "tc" => message.flags.truncated,
        "ra" => message.flags.recursion_available,
        "rd" => message.flags.recursion_desired,
        "ad" => message.flags.authentic_data,
        "cd" => message.flags.checking_disabled,
        _ => return Err(format!("{name} is no flag")),
    };
    if is_set == wanted { Ok(()) } else { Err(format!("{name} is {}", if is_set { "set" } else { "not set" })) }
}

/// Whether `value` is as `words` say: `N`, `<= N`, `>= N` or `A..B`; durations have their unit.
fn compare(words: &[&str], value: f64, what: &str) -> Told {
    let number = |word: &str| {
        word.parse::<f64>().or_else(|_| duration(word).map(|time| time.as_secs_f64())).map_err(|_| format!("{word}?"))
    };
    let is_right = match words {
        ["<=", limit] => value <= number(limit)? + 1e-9,
        [">=", limit] => value + 1e-9 >= number(limit)?,
        [range] if range.contains("..") => {
            let (low, high) = range.split_once("..").unwrap_or_default();
            (number(low)? - 1e-9..=number(high)? + 1e-9).contains(&value)
        }
        [exact] => (value - number(exact)?).abs() < 1e-9,
        _ => return Err(format!("{what} what? {words:?}")),
    };
    if is_right { Ok(()) } else { Err(format!("{what} {value}, not {}", words.join(" "))) }
}

fn ede(message: &Message) -> Option<(u16, String)> {
    let data = message.edns.as_ref()?.option(option::EDE)?;
    let (code, text) = data.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*code), String::from_utf8_lossy(text).into_owned()))
}

fn rcode(word: &str) -> Result<meridian::dns::Rcode, String> {
    text::rcode(word).ok_or(format!("{word} is no RCODE"))
}

fn count(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

fn ip(word: &str) -> Result<IpAddr, String> {
    word.parse().map_err(|_| format!("{word} is no address"))
}

fn duration(word: &str) -> Result<Duration, String> {
    let at = word.find(|c: char| c.is_ascii_alphabetic()).ok_or(format!("{word} has no unit"))?;
    let (number, unit) = word.split_at(at);
    let number: f64 = number.parse().map_err(|_| format!("{word} is no duration"))?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return Err(format!("{word} has no unit")),
    };
    Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
}
