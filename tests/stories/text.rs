//! Records and messages as text: one record a line, `OWNER [TTL] TYPE RDATA`, as master files and dig write them.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use meridian::dns::{Class, Message, Name, Rcode, Record, RecordType};

/// The TTL of records whose line has none.
pub(crate) const TTL: u32 = 3600;

/// A record, and whether its line named a TTL.
pub(crate) fn record(words: &[&str]) -> Result<(Record, bool), String> {
    let (owner, rest) = words.split_first().ok_or("no owner")?;
    let owner = name(owner)?;
    let (first, after) = rest.split_first().ok_or("no type")?;
    let (ttl, rtype, rdata) = match first.parse::<u32>() {
        Ok(ttl) => {
            let (rtype, rdata) = after.split_first().ok_or("no type")?;
            (Some(ttl), *rtype, rdata)
        }
        Err(_) => (None, *first, after),
    };
    let rtype: RecordType = rtype.parse().map_err(|_| format!("{rtype} is no type"))?;
    let rdata = rdata_of(rtype, rdata)?.into();
    Ok((Record { owner, rtype, class: Class::IN, ttl: ttl.unwrap_or(TTL), rdata }, ttl.is_some()))
}

/// A name; the word must end with a dot, so that no line is misread.
pub(crate) fn name(word: &str) -> Result<Name, String> {
    if !word.ends_with('.') {
        return Err(format!("{word} is no name: it does not end with a dot"));
    }
    word.parse().map_err(|fault| format!("{word} is no name: {fault:?}"))
}

fn rdata_of(rtype: RecordType, words: &[&str]) -> Result<Vec<u8>, String> {
    let word = |at: usize| words.get(at).copied().ok_or(format!("{rtype} needs more words"));
    let number = |at: usize| word(at)?.parse::<u32>().map_err(|_| format!("{} is no number", words[at]));
    let mut rdata = Vec::new();
    if let ["\\#", octets @ ..] = words {
        return hex(&octets.concat()); // RFC 3597 §5, and whatever breaks the type's rules
    }
    match rtype {
        RecordType::A => rdata.extend(word(0)?.parse::<Ipv4Addr>().map_err(|e| e.to_string())?.octets()),
        RecordType::AAAA => rdata.extend(word(0)?.parse::<Ipv6Addr>().map_err(|e| e.to_string())?.octets()),
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => {
            rdata.extend_from_slice(name(word(0)?)?.wire());
        }
        RecordType::MX => {
            rdata.extend((number(0)? as u16).to_be_bytes());
            rdata.extend_from_slice(name(word(1)?)?.wire());
        }
        RecordType::SRV => {
            for at in 0..3 {
                rdata.extend((number(at)? as u16).to_be_bytes());
            }
            rdata.extend_from_slice(name(word(3)?)?.wire());
        }
        RecordType::SOA => {
            rdata.extend_from_slice(name(word(0)?)?.wire());
            rdata.extend_from_slice(name(word(1)?)?.wire());
            for at in 2..7 {
                rdata.extend(number(at)?.to_be_bytes());
            }
        }
        RecordType::TXT => {
            for text in words {
                rdata.push(text.len() as u8);
                rdata.extend(text.bytes());
            }
        }
        // `RRSIG A` stands for some signature over the A records: nobody here checks it.
        RecordType::RRSIG => {
            let covered: RecordType = word(0)?.parse().map_err(|_| format!("{} is no type", words[0]))?;
            rdata.extend(covered.0.to_be_bytes());
            rdata.extend([13, 2, 0, 0, 14, 16, 0x6A, 0, 0, 0, 0x69, 0, 0, 0, 0x12, 0x34, 0]);
            rdata.extend([7; 64]);
        }
        RecordType::NSEC => {
            rdata.extend_from_slice(name(word(0)?)?.wire());
            rdata.extend([0, 1, 0x40]);
        }
        _ => {
            for text in words {
                rdata.extend(hex(text)?);
            }
        }
    }
    Ok(rdata)
}

/// The octets that `text` writes in hexadecimal.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    if digits.len() != text.len() || !digits.len().is_multiple_of(2) {
        return Err(format!("{text} is no hexadecimal"));
    }
    Ok(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

/// The octets in hexadecimal.
pub(crate) fn octets(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        _ = write!(text, "{octet:02x}");
        text
    })
}

/// A record as dig writes it.
pub(crate) fn show(record: &Record) -> String {
    let rdata = &record.rdata[..];
    let shown = match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(rdata).ok().map(|octets| Ipv4Addr::from(octets).to_string()),
        RecordType::AAAA => <[u8; 16]>::try_from(rdata).ok().map(|octets| Ipv6Addr::from(octets).to_string()),
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR | RecordType::SOA => {
            Name::from_wire(rdata).ok().map(|(name, _)| name.to_string())
        }
        RecordType::TXT => Some(String::from_utf8_lossy(rdata).into_owned()),
        _ => None,
    };
    let shown = shown.unwrap_or_else(|| octets(rdata));
    format!("{} {} {} {shown}", record.owner, record.ttl, record.rtype)
}

/// A response as dig writes it.
pub(crate) fn dig(message: &Message, ede: Option<&(u16, String)>) -> String {
    let flags = message.flags;
    let mut text = format!(";; ->>HEADER<<- {}, id {}, flags:", message.rcode, message.id);
    for (is_set, flag) in [
        (flags.response, "qr"),
        (flags.authoritative, "aa"),
        (flags.truncated, "tc"),
        (flags.recursion_desired, "rd"),
        (flags.recursion_available, "ra"),
        (flags.authentic_data, "ad"),
        (flags.checking_disabled, "cd"),
    ] {
        if is_set {
            text += " ";
            text += flag;
        }
    }
    text += "\n";
    if let Some((code, words)) = ede {
        _ = writeln!(text, ";; EDE {code}: {words}");
    }
    for (section, records) in
        [("ANSWER", &message.answer), ("AUTHORITY", &message.authority), ("ADDITIONAL", &message.additional)]
    {
        if !records.is_empty() {
            _ = writeln!(text, ";; {section}");
            for record in records {
                _ = writeln!(text, "{}", show(record));
            }
        }
    }
    text
}

/// The response code of this name.
pub(crate) fn rcode(word: &str) -> Option<Rcode> {
    (0..32).map(Rcode).find(|rcode| rcode.to_string() == word)
}
