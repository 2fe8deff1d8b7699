//! Any octets as the options of an OPT record: split, and client subnet and cookie read, as strictly as a simple model
//! of RFC 6891 §6.1.2, RFC 7871 §6 and RFC 7873 §4 does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use meridian::dns::edns::{BadCookie, option};
use meridian::dns::subnet::{ClientSubnet, SubnetFault, hidden_v4};
use meridian::dns::wire::glance::is_harmless;
use meridian::dns::{Ede, EdeCode, Message};

/// The most options that an OPT record may have.
const OPTIONS_MAX: usize = 32;

/// See the module's text.
pub fn run(data: &[u8]) {
    let Ok(length) = u16::try_from(data.len()) else { return };
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    bytes.extend([1, b'a', 0, 0, 1, 0, 1]);
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(data);
    let found = Message::parse(&bytes).ok().and_then(|message| message.edns);
    let expected = split(data);
    assert_eq!(found.as_ref().map(|edns| edns.options.clone()), expected, "the options are others");
    let Some(edns) = found else { return };
    for (code, octets) in &edns.options {
        if *code == option::CLIENT_SUBNET {
            subnet(octets);
        }
        if *code == option::EDE {
            let text = String::from_utf8_lossy(octets).into_owned();
            let (code, said) = Ede::new(EdeCode::Other, text.clone()).to_option();
            assert_eq!((code, &said[2..]), (option::EDE, text.as_bytes()));
        }
    }
    let cookie = edns.option(option::COOKIE);
    let is_lawful = |length: usize| length == 8 || (16..=40).contains(&length);
    match (edns.cookie(), cookie) {
        (Ok(None), None) => {}
        (Ok(Some(cookie)), Some(octets)) => {
            assert!(is_lawful(octets.len()) && is_harmless(option::COOKIE, octets.len()));
            assert_eq!([cookie.client, cookie.server].concat(), octets);
            assert_eq!(cookie.client.len(), 8);
        }
        (Err(BadCookie), Some(octets)) => {
            assert!(!is_lawful(octets.len()) && !is_harmless(option::COOKIE, octets.len()));
        }
        (read, octets) => panic!("{read:?} of {octets:?}"),
    }
}

/// Codes and data, unless they do not fill the record.
fn split(mut data: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut options = Vec::new();
    while !data.is_empty() {
        let [c0, c1, l0, l1, ..] = *data else { return None };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        options.push((u16::from_be_bytes([c0, c1]), data.get(4..4 + length)?.to_vec()));
        data = &data[4 + length..];
    }
    (options.len() <= OPTIONS_MAX).then_some(options)
}

fn subnet(data: &[u8]) {
    match (ClientSubnet::parse(data), lawful(data)) {
        (Ok(subnet), Some((address, length))) => {
            let network = subnet.network();
            assert_eq!((network.address(), network.prefix_length()), (address, length));
            assert_eq!(subnet.is_opt_out(), length == 0);
            assert_eq!(subnet.echo(0), (option::CLIENT_SUBNET, data.to_vec()));
            let (_, scoped) = subnet.echo(255);
            assert_eq!(scoped[3], length, "a scope beyond the source is said as the source");
            if let IpAddr::V6(v6) = address
                && let Some((_, before)) = hidden_v4(v6, length)
            {
                assert!(before < length);
            }
        }
        (Err(SubnetFault::Scope), None) => assert!(data[3] != 0),
        (Err(_), None) => {}
        (read, model) => panic!("{read:?}, and by the model {model:?}"),
    }
}

/// The client's network, if the option of a query is lawful: as many octets as the prefix needs, no bit beyond it,
/// scope 0, and for family 0 no prefix at all.
fn lawful(data: &[u8]) -> Option<(IpAddr, u8)> {
    let (&[0, family @ 0..=2, source, 0], octets) = data.split_first_chunk::<4>()? else { return None };
    let width = [0, 32, 128][usize::from(family)];
    if source > width || octets.len() != usize::from(source).div_ceil(8) {
        return None;
    }
    for bit in usize::from(source)..octets.len() * 8 {
        if octets[bit / 8] & 0x80 >> (bit % 8) != 0 {
            return None;
        }
    }
    let mut whole = [0; 16];
    whole[..octets.len()].copy_from_slice(octets);
    let [a, b, c, d, ..] = whole;
    let v4 = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    Some((if family == 2 { IpAddr::V6(Ipv6Addr::from(whole)) } else { v4 }, source))
}
