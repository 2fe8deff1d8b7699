//! RDATA as people read it (RFC 1035 §5), through hickory-proto; what that does not know is written as RFC 3597 says.

use super::wire::{Composer, Section};
use super::{Class, Flags, Name, Rcode, RecordType};
use crate::base::bounds;

/// The text of `rdata` (uncompressed wire form) of the type `rtype`.
#[must_use]
pub fn rdata(rtype: RecordType, rdata: &[u8]) -> String {
    known(rtype, rdata).unwrap_or_else(|| unknown(rdata))
}

fn known(rtype: RecordType, rdata: &[u8]) -> Option<String> {
    if rtype == RecordType::DNAME {
        return Name::from_wire(rdata).ok().map(|(target, _)| target.to_string());
    }
    let mut bytes = Vec::new();
    let mut composer = Composer::new(&mut bytes, bounds::MESSAGE_MAX, 0, Flags::default(), Rcode::NOERROR).ok()?;
    composer.record(Section::Answer, &Name::root(), rtype, Class::IN, 0, rdata).ok()?;
    composer.finish();
    let message = hickory_proto::op::Message::from_vec(&bytes).ok()?;
    let data = &message.answers.first()?.data;
    let is_known = !matches!(data, hickory_proto::rr::RData::Unknown { .. } | hickory_proto::rr::RData::Update0(_));
    is_known.then(|| data.to_string())
}

fn unknown(rdata: &[u8]) -> String {
    let mut text = format!("\\# {}", rdata.len());
    if !rdata.is_empty() {
        text.push(' ');
    }
    for octet in rdata {
        text.push_str(&format!("{octet:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_read_as_in_a_zone_file_and_others_as_octets() {
        let name: Name = "ns.example.".parse().unwrap();
        assert_eq!(rdata(RecordType::A, &[192, 0, 2, 1]), "192.0.2.1");
        assert_eq!(rdata(RecordType::NS, name.wire()), "ns.example.");
        assert_eq!(rdata(RecordType::DNAME, name.wire()), "ns.example.");
        assert_eq!(rdata(RecordType(65_280), &[1, 255]), "\\# 2 01ff");
        assert_eq!(rdata(RecordType::A, &[1]), "\\# 1 01", "broken data are shown as they are");
    }
}
