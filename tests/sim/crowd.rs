//! The clients: which questions they ask how often, and in what form.

use std::net::SocketAddr;

use meridian::base::Dice;
use meridian::chain::Carrier;
use meridian::dns::edns::option;
use meridian::dns::{Edns, Message, Name, Opcode, Question, RecordType};

use crate::server::bytes_of;
use crate::tree::Tree;

/// Questions, the most popular first.
pub(crate) struct Crowd {
    pub(crate) questions: Vec<Question>,
    /// Sums of the weights 1/rank, in millionths.
    sums: Vec<u64>,
}

/// What a client sends.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: SocketAddr,
    pub(crate) carrier: Carrier,
    /// It is no query, or none that has to be answered.
    pub(crate) is_odd: bool,
}

impl Crowd {
    pub(crate) fn random(tree: &Tree, own: &Name, dice: &mut Dice) -> Self {
        let count = 20 + dice.index(120);
        let types = [
            RecordType::A,
            RecordType::A,
            RecordType::A,
            RecordType::AAAA,
            RecordType::MX,
            RecordType::TXT,
            RecordType::CNAME,
            RecordType::DS,
        ];
        let mut questions: Vec<Question> = (0..count)
            .map(|_| {
                let mut name = tree.some_name(dice);
                if dice.chance(80) {
                    return Question::new(tree.zones[tree.zone_of(&name)].zone.apex.clone(), RecordType::NS);
                }
                if dice.chance(40) {
                    return Question::new(tree.hosts[dice.index(tree.hosts.len())].name.clone(), RecordType::A);
                }
                if dice.chance(50) {
                    name = name.child(b"nx").unwrap_or(name);
                }
                Question::new(name, types[dice.index(types.len())])
            })
            .collect();
        for label in ["h0", "h1", "c0", "t", "nothing"] {
            let rtype = if label == "t" { RecordType::TXT } else { RecordType::A };
            let at = dice.index(questions.len());
            questions.insert(at, Question::new(own.child(label.as_bytes()).unwrap(), rtype));
        }
        for zone in tree.zones.iter().filter(|zone| zone.is_trap) {
            questions.push(Question::new(zone.zone.apex.child(b"www").unwrap(), RecordType::A));
        }
        let mut sum = 0;
        let sums = (1..=questions.len() as u64).map(|rank| {
            sum += 1_000_000 / rank;
            sum
        });
        Self { sums: sums.collect(), questions }
    }

    /// The next client's message.
    pub(crate) fn ask(&self, dice: &mut Dice) -> (Question, Sent) {
        let mark = dice.below(*self.sums.last().unwrap_or(&1));
        let question = self.questions[self.sums.partition_point(|sum| *sum <= mark)].clone();
        let (from, carrier) = Self::asker(dice);
        let mut message = Message { id: dice.bits16(), ..Message::default() };
        message.flags.recursion_desired = !dice.chance(50);
        message.flags.checking_disabled = dice.chance(50);
        message.questions.push(Question { name: random_case(&question.name, dice), ..question.clone() });
        if dice.chance(600) {
            let mut options = Vec::new();
            if dice.chance(200) {
                options.push((option::COOKIE, dice.bits().to_be_bytes().to_vec()));
            }
            let udp_size = [0, 512, 1232, 4096, 65_535][dice.index(5)];
            message.edns = Some(Edns { udp_size, version: 0, dnssec_ok: dice.chance(400), options });
        }
        let mut bytes = bytes_of(&message);
        let is_odd = dice.chance(30);
        if is_odd {
            match dice.below(5) {
                0 => bytes[2] |= 0x80,
                1 => bytes.truncate(dice.index(12)),
                2 => {
                    message.flags.opcode = Opcode(1 + dice.below(15) as u8);
                    bytes = bytes_of(&message);
                }
                3 => bytes.truncate(12 + dice.index(bytes.len() - 12)),
                _ => {
                    let at = dice.index(bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                }
            }
        }
        (question, Sent { bytes, from, carrier, is_odd })
    }

    fn asker(dice: &mut Dice) -> (SocketAddr, Carrier) {
        let carrier = if dice.chance(200) { Carrier::Tcp } else { Carrier::Udp };
        let port = 1_024 + dice.below(60_000) as u16;
        let host = dice.below(200) as u8;
        if dice.chance(30) {
            (SocketAddr::from(([198, 51, 100, host], port)), carrier) // a stranger
        } else {
            (SocketAddr::from(([10, 0, host % 5, host], port)), carrier)
        }
    }
}

fn random_case(name: &Name, dice: &mut Dice) -> Name {
    let mut bits = dice.bits();
    if bits & 1 == 0 {
        return name.clone();
    }
    let wire: Vec<u8> = name
        .wire()
        .iter()
        .map(|octet| {
            bits = bits.rotate_right(1);
            if bits & 1 == 0 { *octet } else { octet.to_ascii_uppercase() }
        })
        .collect();
    Name::from_wire(&wire).map_or_else(|_| name.clone(), |(name, _)| name)
}
