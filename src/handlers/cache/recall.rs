//! The cache's fast tempo: glance, look up, patch; and what the slow tempo leaves behind for it.
//!
//! The law of the memo: what [`Finished::recall`] writes is, octet for octet, what [`crate::chain::seal`] would
//! write for the same query and the same answer, aged if it ages; or it is unsure. It allocates nothing.

use std::sync::Arc;

use super::finished::{Finished, HeldChoice, Key};
use crate::base::{Dice, Instant, bounds};
use crate::chain::seal::response_limit;
use crate::chain::{Answer, Asker, Pick, Query, Recall, Sealed};
use crate::dns::cookie::WholeCookie;
use crate::dns::prepared::{Extras, Source};
use crate::dns::wire::glance::{is_harmless, key_bits, question_hash};
use crate::dns::wire::{Glance, Glanced, glance};
use crate::dns::{Class, ClientSubnet, Opcode};

/// Octets of a header.
const HEADER: usize = 12;

impl Finished {
    /// Answers `datagram` into `out` if a finished answer is at hand.
    pub fn recall(
        &mut self,
        datagram: &[u8],
        asker: &Asker,
        now: Instant,
        dice: &mut Dice,
        out: &mut Vec<u8>,
    ) -> Recall {
        match glance(datagram, self.keyed()) {
            Glance::Plain(glanced) => self.recall_glanced(&glanced, datagram, asker, None, now, dice, out),
            Glance::Unsure => Recall::Unsure,
            Glance::Silence(why) => Recall::Silence(why),
        }
    }

    /// As [`Finished::recall`], of a datagram that was glanced at already: a batch is glanced at and foreseen
    /// before the first of it is answered. `cookie` goes along for a client that sent one.
    #[expect(clippy::too_many_arguments, reason = "all that an answer depends on")]
    pub fn recall_glanced(
        &mut self,
        glanced: &Glanced,
        datagram: &[u8],
        asker: &Asker,
        cookie: Option<&WholeCookie>,
        now: Instant,
        dice: &mut Dice,
        out: &mut Vec<u8>,
    ) -> Recall {
        let mut key = Key::of(glanced, asker);
        let (limit, seconds) = (response_limit(asker.carrier, glanced.udp_size), now.seconds());
        let subnet_if = |is_heeded: bool| match glanced.subnet(datagram).filter(|_| is_heeded) {
            Some(data) => ClientSubnet::parse(data).map(Some),
            None => Ok(None),
        };
        // A question for which is chosen has no answer of its own.
        let is_chosen = self.was_chosen(key);
        if !is_chosen && let Some(prepared) = self.find(glanced, datagram, key, &[], seconds) {
            let Ok(subnet) = subnet_if(prepared.heeds_subnet()) else { return Recall::Unsure };
            let extras = Extras { subnet: subnet.map(|subnet| (subnet, 0)), cookie };
            let is_written = prepared.patch(glanced, datagram, limit, extras, seconds, out);
            return if is_written { Recall::Hit(prepared.account()) } else { Recall::Unsure };
        }
        let Some(choice) = self.choice(glanced, datagram, key) else { return Recall::Unsure };
        let Ok(subnet) = subnet_if(choice.heeds_subnet) else { return Recall::Unsure };
        let pick = choice.chooser.choose(asker, subnet, now, dice);
        let extras = Extras { subnet: subnet.map(|subnet| (subnet, pick.scope)), cookie };
        let question_hash = key.hash;
        key.hash = self.picked_hash(question_hash, &pick.octets);
        if let Some(prepared) = self.find(glanced, datagram, key, &pick.octets, seconds)
            && prepared.patch(glanced, datagram, limit, extras, seconds, out)
        {
            return Recall::Hit(prepared.account());
        }
        key.hash = question_hash;
        // The choice has been made, and must not be made again: it would be another.
        let chooser = self.choice(glanced, datagram, key).map(|choice| Arc::clone(&choice.chooser));
        chooser.map_or(Recall::Unsure, |chooser| Recall::Picked(chooser, pick))
    }

    /// Keeps the response `bytes`, as `answer` to `query` was `sealed` at `now`, for the next who asks; unless
    /// the answer says that it must not be, something was left out of it, or it is too long for a datagram. Of an answer
    /// that was chosen, who chooses is kept, and the answer itself if it is known for which `pick` it stands.
    pub fn keep(
        &mut self,
        query: &Query,
        answer: &Answer,
        pick: Option<&Pick>,
        sealed: &Sealed,
        bytes: &[u8],
        now: Instant,
    ) {
        let is_plain = query.question.class == Class::IN
            && !query.question.rtype.is_meta()
            && query.flags.opcode == Opcode::QUERY
            && query.edns.iter().flat_map(|edns| &edns.options).all(|(code, data)| is_harmless(*code, data.len()))
            // What is said to an unlawful option is no answer to the question.
            && query.edns.as_ref().is_none_or(|edns| edns.client_subnet().is_ok());
        if !is_plain {
            return;
        }
        let question_end = HEADER + query.question.name.wire().len() + 4;
        let bits = key_bits(query.flags.recursion_desired, query.flags.checking_disabled, query.wants_dnssec());
        let hash = question_hash(self.keyed(), bytes, question_end, query.question.rtype, bits);
        let mut key = Key { hash, bits, may_recurse: query.asker.may_recurse, group: query.asker.group };
        if let (Some(chooser), None) = (&answer.chooser, pick) {
            if let Some(question) = bytes.get(..question_end) {
                let (question, heeds_subnet) = (question.into(), answer.scope.is_some());
                self.keep_choice(key, HeldChoice { question, heeds_subnet, chooser: Arc::clone(chooser) });
            }
            return;
        }
        let Some(until) = answer.recallable_until else { return };
        if !sealed.is_whole
            || !sealed.is_repeatable
            || sealed.is_truncated
            || sealed.sections_end > bounds::UDP_RESPONSE_MAX
        {
            return;
        }
        let mut options = Vec::new();
        if let Some((code, data)) = answer.ede.as_ref().map(crate::dns::Ede::to_option) {
            options.extend_from_slice(&code.to_be_bytes());
            options.extend_from_slice(&(data.len() as u16).to_be_bytes());
            options.extend_from_slice(&data);
        }
        if options.len() > bounds::UDP_RESPONSE_MAX {
            return;
        }
        let octets = pick.map_or(&[][..], |pick| &pick.octets);
        if pick.is_some() {
            key.hash = self.picked_hash(hash, octets);
        }
        let source = Source {
            sections: bytes.get(..sealed.sections_end).unwrap_or_default(),
            has_opt: query.edns.is_some(),
            ttls: if answer.is_ageless { &[] } else { &sealed.ttls },
            options: &options,
            runs: &sealed.runs,
            rcode: answer.rcode,
            is_authentic: sealed.is_authentic,
            prepared_at: now.seconds(),
            until,
            account: sealed.account,
            heeds_subnet: answer.scope.is_some(),
            pick: octets,
        };
        self.insert(key, &source, question_end, now.seconds());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::base::Dice;
    use crate::base::tally::Event;
    use crate::chain::{Aged, Carrier, Extras, seal, seal_as};
    use crate::dns::edns::option;
    use crate::dns::{Ede, EdeCode, Edns, Flags, Message, Name, PreparedAnswer, Question, Rcode, RecordType, RrSet};

    /// Names that share endings with one another in either case of letters.
    fn name() -> impl Strategy<Value = Name> {
        let label = prop::sample::select(vec!["a", "A", "www", "WwW", "ns1", "mail", "Example", "*", "x-1"]);
        let ending = prop::sample::select(vec!["example.", "EXAMPLE.", "Sub.Example.", "test.", "."]);
        (vec(label, 0..4), ending).prop_map(|(labels, ending)| {
            let text = labels.iter().fold(String::new(), |text, label| text + label + ".");
            (if ending == "." && !text.is_empty() { text } else { text + ending }).parse().unwrap()
        })
    }

    fn rrset() -> impl Strategy<Value = RrSet> {
        let rtype = prop::sample::select(vec![
            RecordType::A,
            RecordType::AAAA,
            RecordType::NS,
            RecordType::CNAME,
            RecordType::MX,
            RecordType::SOA,
            RecordType::TXT,
            RecordType::HTTPS,
            RecordType(4711),
        ]);
        let record = (name(), name(), vec(any::<u8>(), 24..80));
        let signature = (vec(any::<u8>(), 18..19), name(), vec(any::<u8>(), 30..70))
            .prop_map(|(fixed, signer, rest)| [&fixed, signer.wire(), &rest].concat());
        (name(), rtype, vec(record, 1..4), vec(signature, 0..3)).prop_map(|(owner, rtype, records, signatures)| {
            let rdatas = records.iter().map(|(one, two, octets)| match rtype {
                RecordType::A => octets[..4].to_vec(),
                RecordType::AAAA => octets[..16].to_vec(),
                RecordType::NS | RecordType::CNAME => one.wire().to_vec(),
                RecordType::MX => [&octets[..2], one.wire()].concat(),
                RecordType::SOA => [one.wire(), two.wire(), &octets[..20]].concat(),
                RecordType::TXT => [&[octets.len() as u8], &octets[..]].concat(),
                _ => octets.clone(),
            });
            let mut set = RrSet::new(owner, rtype, 0, rdatas);
            set.signatures = signatures.into_iter().collect();
            set
        })
    }

    fn section() -> impl Strategy<Value = Vec<Aged>> {
        let ttl = prop_oneof![0..10_u32, any::<u32>().prop_map(|ttl| ttl >> 1)];
        vec((rrset(), ttl).prop_map(|(set, ttl)| Aged { set: Arc::new(set), ttl }), 0..4)
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let rcode = prop::sample::select(vec![Rcode::NOERROR, Rcode::NXDOMAIN, Rcode::SERVFAIL, Rcode(23)]);
        let ede = prop::option::of("[ -~]{0,40}".prop_map(|text| Ede::new(EdeCode::StaleAnswer, text)));
        let scope = prop::option::of(Just(0));
        (rcode, any::<bool>(), any::<bool>(), [section(), section(), section()], ede, scope).prop_map(
            |(rcode, authoritative, authentic, [answer, authority, additional], ede, scope)| Answer {
                rcode,
                authoritative,
                authentic,
                answer,
                authority,
                additional,
                ede,
                scope,
                recallable_until: None,
                is_ageless: false,
                chooser: None,
                is_ordered: false,
                wildcard_zone: None,
            },
        )
    }

    fn edns() -> impl Strategy<Value = Option<Edns>> {
        let harmless = prop::sample::select(vec![
            (option::PADDING, vec![]),
            (option::PADDING, vec![7; 9]),
            (option::COOKIE, vec![7; 8]),
            (option::CLIENT_SUBNET, vec![0, 1, 20, 0, 192, 0, 0x20]),
            (option::CLIENT_SUBNET, vec![0, 2, 32, 0, 0x20, 1, 0xD, 0xB8]),
            (option::CLIENT_SUBNET, vec![0, 1, 0, 0]),
        ]);
        let options = vec(harmless, 0..3);
        prop::option::of((any::<u16>(), any::<bool>(), options).prop_map(|(udp_size, dnssec_ok, options)| Edns {
            udp_size,
            version: 0,
            dnssec_ok,
            options,
        }))
    }

    /// A query for `name`, its letters turned about by `case`.
    fn query(name: &Name, case: u64, id: u16, flags: [bool; 3], edns: Option<Edns>, carrier: Carrier) -> Query {
        let mut wire = name.wire().to_vec();
        for (at, octet) in wire.iter_mut().enumerate() {
            if octet.is_ascii_alphabetic() && case >> (at % 64) & 1 == 1 {
                *octet ^= 0x20;
            }
        }
        let [recursion_desired, checking_disabled, authentic_data] = flags;
        Query {
            id,
            flags: Flags { recursion_desired, authentic_data, checking_disabled, ..Flags::default() },
            question: Question::new(Name::from_wire(&wire).unwrap().0, RecordType::A),
            edns,
            asker: Asker {
                address: "192.0.2.1:5353".parse().unwrap(),
                local: None,
                carrier,
                may_recurse: true,
                group: 0,
            },
        }
    }

    fn datagram(query: &Query) -> Vec<u8> {
        let message = Message {
            id: query.id,
            flags: query.flags,
            questions: smallvec::smallvec![query.question.clone()],
            edns: query.edns.clone(),
            ..Message::default()
        };
        let mut bytes = Vec::new();
        message.compose(&mut bytes, bounds::MESSAGE_MAX).unwrap();
        bytes
    }

    fn aged(answer: &Answer, seconds: u32) -> Answer {
        let mut aged = answer.clone();
        if answer.is_ageless {
            return aged;
        }
        for one in [&mut aged.answer, &mut aged.authority, &mut aged.additional].into_iter().flatten() {
            one.ttl = one.ttl.saturating_sub(seconds);
        }
        aged
    }

    fn carrier() -> impl Strategy<Value = Carrier> {
        prop::sample::select(vec![Carrier::Udp, Carrier::Tcp])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        /// The law of the memo.
        #[test]
        fn a_recall_is_what_the_seal_would_write(
            mut answer in answer(), is_ageless in any::<bool>(), name in name(),
            cases in any::<[u64; 2]>(), ids in any::<[u16; 2]>(),
            one in any::<[bool; 3]>(), other in prop::option::of(any::<[bool; 3]>()),
            edns in [edns(), edns()], carriers in [carrier(), carrier()],
            kept_at in 0..1_000_u64, age in 0..30_u32, rotates in any::<bool>(), is_ordered in any::<bool>(),
        ) {
            answer.recallable_until = Some(kept_at + 25);
            answer.is_ageless = is_ageless;
            answer.is_ordered = is_ordered;
            let seal = |query: &Query, answer: &Answer, out: &mut Vec<u8>| {
                seal_as(query, answer, true, Extras { rotates, ..Extras::default() }, out)
            };
            let [first_edns, later_edns] = edns;
            let first = query(&name, cases[0], ids[0], one, first_edns, carriers[0]);
            let later = query(&name, cases[1], ids[1], other.unwrap_or(one), later_edns, carriers[1]);
            let mut finished = Finished::new(&mut Dice::from_number(u64::from(ids[0])), 1 << 20);
            let mut bytes = Vec::new();
            let sealed = seal(&first, &answer, &mut bytes);
            finished.keep(&first, &answer, None, &sealed, &bytes, Instant::from_seconds(kept_at));
            let now = Instant::from_seconds(kept_at + u64::from(age));
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            let recalled = finished.recall(&datagram(&later), &later.asker, now, &mut Dice::from_number(1), &mut out);
            let again = seal(&later, &aged(&answer, age), &mut expected);
            let same_key = one[..2] == other.unwrap_or(one)[..2] && first.wants_dnssec() == later.wants_dnssec();
            match recalled {
                Recall::Hit(_) => {
                    prop_assert!(same_key && age < 25);
                    prop_assert_eq!(out, expected);
                    prop_assert!(again.is_whole);
                }
                Recall::Unsure => {
                    let is_short = sealed.sections_end <= bounds::UDP_RESPONSE_MAX;
                    let is_kept = sealed.is_whole && sealed.is_repeatable && is_short;
                    prop_assert!(!(same_key && age < 25 && is_kept && again.is_whole));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        /// The law of the memo holds for cookies too: what is kept of a query with one, or without, serves both.
        #[test]
        fn a_cookie_goes_along_as_the_seal_would_write_it(
            mut answer in answer(), name in name(), edns in edns(), cookies in any::<[Option<[u8; 24]>; 2]>(),
            carrier in carrier(),
        ) {
            answer.recallable_until = Some(100);
            let first = query(&name, 0, 1, [true, false, false], edns, carrier);
            let mut finished = Finished::new(&mut Dice::from_number(1), 1 << 20);
            let extras = |cookie| Extras { cookie, ..Extras::default() };
            let (mut bytes, mut out, mut expected) = (Vec::new(), Vec::new(), Vec::new());
            let sealed = seal_as(&first, &answer, true, extras(cookies[0].as_ref()), &mut bytes);
            finished.keep(&first, &answer, None, &sealed, &bytes, Instant::ZERO);
            let datagram = datagram(&first);
            let Glance::Plain(glanced) = glance(&datagram, finished.keyed()) else { panic!("not plain") };
            let cookie = cookies[1].as_ref().filter(|_| first.edns.is_some());
            let recalled = finished.recall_glanced(&glanced, &datagram, &first.asker, cookie, Instant::ZERO, &mut Dice::from_number(1), &mut out);
            let again = seal_as(&first, &answer, true, extras(cookie), &mut expected);
            match recalled {
                Recall::Hit(_) => prop_assert_eq!(out, expected),
                _ => prop_assert!(!(sealed.is_whole && again.is_whole) || sealed.sections_end > bounds::UDP_RESPONSE_MAX),
            }
        }

        /// No response is longer than its carrier allows, and all can be read.
        #[test]
        fn a_sealed_response_keeps_its_limit(
            answer in answer(), name in name(), edns in edns(), carrier in carrier(), flags in any::<[bool; 3]>(),
        ) {
            let query = query(&name, 0, 1, flags, edns, carrier);
            let mut bytes = Vec::new();
            let sealed = seal(&query, &answer, true, &mut bytes);
            let limit = response_limit(carrier, query.edns.as_ref().map(|edns| edns.udp_size));
            prop_assert!(bytes.len() <= limit);
            let message = Message::parse(&bytes).unwrap();
            prop_assert_eq!(message.flags.truncated, sealed.is_truncated);
            prop_assert_eq!(message.edns.is_some(), query.edns.is_some());
            prop_assert!(message.questions[0].name.is_same_case(&query.question.name));
            let mut left = &message.answer[..];
            let wants_dnssec = query.wants_dnssec();
            for Aged { set, .. } in &answer.answer {
                let signatures = if wants_dnssec { set.signatures.len() } else { 0 };
                let (told, rest) = left.split_at(left.len().min(set.rdatas.len() + signatures));
                let is_torn = !told.is_empty() && told.len() < set.rdatas.len() + signatures;
                prop_assert!(!is_torn || sealed.is_truncated && flags[0] && !wants_dnssec && rest.is_empty());
                for (record, rdata) in told.iter().zip(set.rdatas.iter()) {
                    prop_assert_eq!((&record.owner, record.rtype), (&set.owner, set.rtype));
                    prop_assert!(record.rdata.eq_ignore_ascii_case(rdata)); // the question's letters are the client's
                }
                left = rest;
            }
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn types_whose_octets_differ_like_letters_are_told_apart() {
        let name: Name = "example.".parse().unwrap();
        let mut one = query(&name, 0, 1, [true, false, false], None, Carrier::Udp);
        one.question.rtype = RecordType(65);
        let mut other = one.clone();
        other.question.rtype = RecordType(97);
        let glanced = |query: &Query| {
            let (bytes, finished) = (datagram(query), Finished::new(&mut Dice::from_number(1), 1));
            let Glance::Plain(glanced) = glance(&bytes, finished.keyed()) else { panic!("not plain") };
            (glanced, bytes)
        };
        let ((one_glanced, one_bytes), (other_glanced, other_bytes)) = (glanced(&one), glanced(&other));
        assert_ne!(one_glanced.hash, other_glanced.hash);
        let mut octets = Vec::new();
        let source = Source {
            sections: &one_bytes,
            has_opt: false,
            ttls: &[],
            options: &[],
            rcode: Rcode::NOERROR,
            is_authentic: false,
            prepared_at: 0,
            until: 1,
            ..Source::default()
        };
        PreparedAnswer::compose(&source, &mut octets).unwrap();
        let answer = PreparedAnswer::read(&octets).unwrap();
        assert!(answer.is_for(&one_glanced, &one_bytes, &[]));
        assert!(!answer.is_for(&other_glanced, &other_bytes, &[]));
    }

    /// As where a rewrite told under another name what is authentic under its own.
    #[test]
    fn what_was_not_said_to_be_authentic_is_not_said_to_be_so_the_next_time() {
        let name: Name = "example.".parse().unwrap();
        let mut query = query(&name, 0, 1, [true, false, false], None, Carrier::Udp);
        query.flags.authentic_data = true;
        for is_authentic in [true, false] {
            let told = Answer { recallable_until: Some(10), authentic: is_authentic, ..Answer::default() };
            let (mut finished, mut bytes) = (Finished::new(&mut Dice::from_number(1), 1 << 20), Vec::new());
            let sealed = seal(&query, &told, true, &mut bytes);
            let found = Answer { authentic: true, ..told };
            finished.keep(&query, &found, None, &sealed, &bytes, Instant::ZERO);
            let mut out = Vec::new();
            let recall =
                finished.recall(&datagram(&query), &query.asker, Instant::ZERO, &mut Dice::from_number(1), &mut out);
            assert_eq!((recall, out[3] & 0x20 != 0), (Recall::Hit(0), is_authentic));
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn an_asker_gets_no_answer_of_another_group_or_of_one_with_recursion() {
        let name: Name = "example.".parse().unwrap();
        let mut query = query(&name, 0, 1, [true, false, false], None, Carrier::Udp);
        let answer = Answer { recallable_until: Some(10), ..Answer::default() };
        let (mut finished, mut bytes) = (Finished::new(&mut Dice::from_number(1), 1 << 20), Vec::new());
        let sealed = seal(&query, &answer, true, &mut bytes);
        finished.keep(&query, &answer, None, &sealed, &bytes, Instant::ZERO);
        let mut out = Vec::new();
        assert_eq!(
            finished.recall(&datagram(&query), &query.asker, Instant::ZERO, &mut Dice::from_number(1), &mut out),
            Recall::Hit(0)
        );
        query.asker.group = 1;
        assert_eq!(
            finished.recall(&datagram(&query), &query.asker, Instant::ZERO, &mut Dice::from_number(1), &mut out),
            Recall::Unsure
        );
        query.asker.group = 0;
        query.asker.may_recurse = false;
        assert_eq!(
            finished.recall(&datagram(&query), &query.asker, Instant::ZERO, &mut Dice::from_number(1), &mut out),
            Recall::Unsure
        );
    }

    #[test]
    fn what_is_never_answered_is_silence() {
        let mut finished = Finished::new(&mut Dice::from_number(1), 1 << 20);
        let asker = Asker {
            address: "192.0.2.1:53".parse().unwrap(),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: true,
            group: 0,
        };
        let mut out = Vec::new();
        let mut recall =
            |bytes: &[u8]| finished.recall(bytes, &asker, Instant::ZERO, &mut Dice::from_number(1), &mut out);
        assert_eq!(recall(&[0; 11]), Recall::Silence(Event::SilenceShort));
        assert_eq!(recall(&[0xFF; 12]), Recall::Silence(Event::SilenceResponse));
        assert_eq!(recall(&[0; 12]), Recall::Unsure);
    }
}
