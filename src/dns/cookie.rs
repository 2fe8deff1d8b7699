//! Server cookies that any server with the same secret understands (RFC 9018): version, time, and a SipHash-2-4 over
//! these, the client's cookie and its address. Nothing is kept of any client.

use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::base::Dice;

/// Octets of a client's cookie.
pub const CLIENT_COOKIE: usize = 8;
/// Octets of a server's cookie.
pub const SERVER_COOKIE: usize = 16;
/// Octets of both: the data of the option in a response.
pub const WHOLE_COOKIE: usize = CLIENT_COOKIE + SERVER_COOKIE;

/// A cookie is good for so long, seconds (RFC 9018 §4.3).
const VALID_FOR: u32 = 3_600;
/// It may come from a clock that is ahead by so many seconds (RFC 9018 §4.3).
const AHEAD_MAX: u32 = 300;
/// After so many seconds another is given (RFC 9018 §4.3).
const RENEWED_AFTER: u32 = 1_800;

/// What the option of a response holds.
pub type WholeCookie = [u8; WHOLE_COOKIE];

/// A secret that server cookies are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieSecret(pub [u8; 16]);

/// Nobody's business, not even a log's.
impl std::fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieSecret(..)")
    }
}

/// The secrets in use: cookies are made with the first and valid by any (RFC 9018 §5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieSecrets {
    /// Cookies are made with it.
    pub first: CookieSecret,
    /// The one before it, or the one to come.
    pub second: Option<CookieSecret>,
}

/// What a query's cookie says, and what goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Examined {
    /// Whether the server's part is ours, for this client, and not too old: the client is where it says it is.
    pub is_valid: bool,
    /// Whether there was a server's part at all.
    pub is_complete: bool,
    /// The cookie for the response.
    pub reply: WholeCookie,
}

/// A server cookie that is ours and valid.
#[derive(Clone, Copy)]
struct Recognised {
    /// Whether it may go on as it is.
    is_fresh: bool,
}

impl CookieSecret {
    /// A secret of our own.
    #[must_use]
    pub fn drawn(dice: &mut Dice) -> Self {
        let mut octets = [0; 16];
        dice.fill(&mut octets);
        Self(octets)
    }

    /// The cookie that we, as a client, send to `server`: to each another one (RFC 7873 §4.1).
    #[must_use]
    pub fn client_cookie(self, server: IpAddr) -> [u8; CLIENT_COOKIE] {
        self.hash([0; CLIENT_COOKIE], [0; 8], server)
    }

    fn hash(self, client: [u8; CLIENT_COOKIE], front: [u8; 8], address: IpAddr) -> [u8; 8] {
        let hasher = SipHasher24::new_with_key(&self.0);
        let ([c0, c1, c2, c3, c4, c5, c6, c7], [f0, f1, f2, f3, f4, f5, f6, f7]) = (client, front);
        // All at once: the hasher takes several times as long for pieces.
        let hash = match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a0, a1, a2, a3] = v4.octets();
                hasher.hash(&[c0, c1, c2, c3, c4, c5, c6, c7, f0, f1, f2, f3, f4, f5, f6, f7, a0, a1, a2, a3])
            }
            IpAddr::V6(v6) => {
                let mut octets = [0; 32];
                let (into_client, rest) = octets.split_at_mut(8);
                let (into_front, into_address) = rest.split_at_mut(8);
                into_client.copy_from_slice(&client);
                into_front.copy_from_slice(&front);
                into_address.copy_from_slice(&v6.octets());
                hasher.hash(&octets)
            }
        };
        hash.to_le_bytes()
    }
}

impl CookieSecrets {
    /// Examines the data of a cookie option from `address` at `wall`, seconds since 1970. None if its length is
    /// unlawful (RFC 7873 §5.2.2).
    #[must_use]
    pub fn examine(&self, data: &[u8], address: IpAddr, wall: u32) -> Option<Examined> {
        let (client, server) = data.split_first_chunk::<CLIENT_COOKIE>()?;
        if !matches!(server.len(), 0 | 8..=32) {
            return None;
        }
        let found = self.recognise(*client, server, address, wall);
        let mut reply = [0; WHOLE_COOKIE];
        let (own, rest) = reply.split_at_mut(CLIENT_COOKIE);
        own.copy_from_slice(client);
        if found.is_some_and(|found| found.is_fresh) {
            rest.copy_from_slice(server);
        } else {
            let [t0, t1, t2, t3] = wall.to_be_bytes();
            let front = [1, 0, 0, 0, t0, t1, t2, t3];
            let (into_front, into_hash) = rest.split_at_mut(front.len());
            into_front.copy_from_slice(&front);
            into_hash.copy_from_slice(&self.first.hash(*client, front, address));
        }
        Some(Examined { is_valid: found.is_some(), is_complete: !server.is_empty(), reply })
    }

    /// Whether a server cookie is one of ours and valid.
    fn recognise(&self, client: [u8; CLIENT_COOKIE], server: &[u8], address: IpAddr, wall: u32) -> Option<Recognised> {
        let server: &[u8; SERVER_COOKIE] = server.try_into().ok()?;
        let (front, hash) = server.split_first_chunk::<8>()?;
        let [1, _, _, _, t0, t1, t2, t3] = *front else { return None };
        // Serial numbers, which survive 2106 (RFC 1982).
        let age = i64::from(wall.wrapping_sub(u32::from_be_bytes([t0, t1, t2, t3])).cast_signed());
        if !(-i64::from(AHEAD_MAX)..=i64::from(VALID_FOR)).contains(&age) {
            return None;
        }
        let is_by = |secret: CookieSecret| is_same(secret.hash(client, *front, address), hash);
        if is_by(self.first) {
            return Some(Recognised { is_fresh: (0..=i64::from(RENEWED_AFTER)).contains(&age) });
        }
        // By the other secret it is valid, but on its way out (RFC 9018, Appendix A.4).
        self.second.is_some_and(is_by).then_some(Recognised { is_fresh: false })
    }
}

/// Compares in the same time wherever the difference is (RFC 9018 §4.3).
fn is_same(one: [u8; 8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

/// Why a text holds no secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretsFault {
    /// This line, from 1, is no secret of 32 hexadecimal digits.
    Line(usize),
    /// There is no secret, or there are more than two.
    Count,
}

/// Reads secrets, one a line: 32 hexadecimal digits. The first makes cookies; a second is accepted too. Empty lines
/// and those that begin with `#` do not count.
///
/// # Errors
/// [`SecretsFault`], which never says what stands there.
pub fn parse_secrets(text: &str) -> Result<CookieSecrets, SecretsFault> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let octets = line.as_bytes().chunks(2).map(|pair| {
            let digit = |at: usize| pair.get(at).and_then(|octet| char::from(*octet).to_digit(16));
            Some((digit(0)? << 4 | digit(1)?) as u8)
        });
        let octets: Option<Vec<u8>> = octets.collect();
        let secret = octets.and_then(|octets| octets.try_into().ok()).ok_or(SecretsFault::Line(at + 1))?;
        found.push(CookieSecret(secret));
    }
    match *found.as_slice() {
        [first] => Ok(CookieSecrets { first, second: None }),
        [first, second] => Ok(CookieSecrets { first, second: Some(second) }),
        _ => Err(SecretsFault::Count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn octets(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn secrets(hex: &[&str]) -> CookieSecrets {
        parse_secrets(&hex.join("\n")).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// RFC 9018, Appendix A.
    #[test]
    fn the_standards_examples_come_out() {
        let one = secrets(&["e5e973e5a6b2a43f48e7dc849e37bfcf"]);
        let client = address("198.51.100.100");
        let first = one.examine(&octets("2464c4abcf10c957"), client, 0x5cf7_9f11).unwrap();
        assert_eq!(first.reply.as_slice(), octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
        assert!(!first.is_valid && !first.is_complete);

        let renewed = one.examine(&first.reply, client, 0x5cf7_a871).unwrap();
        assert_eq!(renewed.reply.as_slice(), octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77"));
        assert!(renewed.is_valid);

        let other = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        let other = one.examine(&other, address("203.0.113.203"), 0x5cf7_a9ac).unwrap();
        assert_eq!(other.reply.as_slice(), octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"));

        let rolled = secrets(&["445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"]);
        let query = octets("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
        let rolled = rolled.examine(&query, address("2001:db8:220:1:59de:d0f4:8769:82b8"), 0x5cf7_c609).unwrap();
        assert_eq!(rolled.reply.as_slice(), octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
        assert!(rolled.is_valid);
    }

    #[test]
    fn a_cookie_lives_an_hour_and_is_renewed_after_half_of_it() {
        let secrets = secrets(&["e5e973e5a6b2a43f48e7dc849e37bfcf"]);
        let client = address("2001:db8::1");
        let cookie = secrets.examine(&[7; 8], client, 1_000_000).unwrap().reply;
        for (wall, is_valid, is_same) in [
            (1_000_000, true, true),
            (1_001_800, true, true),
            (1_001_801, true, false),
            (1_003_600, true, false),
            (1_003_601, false, false),
            (999_700, true, false),
            (999_699, false, false),
        ] {
            let examined = secrets.examine(&cookie, client, wall).unwrap();
            assert_eq!((examined.is_valid, examined.reply == cookie), (is_valid, is_same), "at {wall}");
        }
    }

    #[test]
    fn a_cookie_is_for_its_client_alone() {
        let secrets = secrets(&["e5e973e5a6b2a43f48e7dc849e37bfcf"]);
        let cookie = secrets.examine(&[7; 8], address("192.0.2.1"), 5).unwrap().reply;
        assert!(secrets.examine(&cookie, address("::ffff:192.0.2.1"), 5).unwrap().is_valid);
        assert!(!secrets.examine(&cookie, address("192.0.2.2"), 5).unwrap().is_valid);
        for at in 0..cookie.len() {
            let mut other = cookie;
            other[at] ^= 1;
            assert!(!secrets.examine(&other, address("192.0.2.1"), 5).unwrap().is_valid, "octet {at}");
        }
    }

    #[test]
    fn secrets_are_read_from_lines() {
        let text =
            "# the old one stays for an hour\n\n e5e973e5a6b2a43f48e7dc849e37bfcf \n445536BCD2513298075a5d379663c962\n";
        assert!(parse_secrets(text).unwrap().second.is_some());
        let one = "e5e973e5a6b2a43f48e7dc849e37bfcf\n";
        for (text, fault) in [
            (String::new(), SecretsFault::Count),
            (one.repeat(3), SecretsFault::Count),
            (format!("{one}e5e9"), SecretsFault::Line(2)),
            (one.replace('f', "g"), SecretsFault::Line(1)),
            (one.replace("cf\n", "c\n"), SecretsFault::Line(1)),
            ("é".repeat(16), SecretsFault::Line(1)),
        ] {
            assert_eq!(parse_secrets(&text), Err(fault), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_option_upsets_the_examination(data: Vec<u8>, wall: u32) {
            let secrets = secrets(&["e5e973e5a6b2a43f48e7dc849e37bfcf"]);
            let examined = secrets.examine(&data, address("192.0.2.1"), wall);
            prop_assert_eq!(examined.is_some(), matches!(data.len(), 8 | 16..=40));
            if let Some(examined) = examined {
                prop_assert!(!examined.is_valid);
                prop_assert_eq!(&examined.reply[..8], &data[..8]);
                prop_assert!(secrets.examine(&examined.reply, address("192.0.2.1"), wall).unwrap().is_valid);
            }
        }
    }
}
