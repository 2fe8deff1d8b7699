//! The vectors are messages of `kdig`, `dig` and `named` as they stood on the wire: the secret is the same for all
//! keys, and all were signed within a minute.

use super::*;
use crate::base::Dice;
use crate::base::collections::keyed;

const SECRET: &[u8] = b"secret-of-twenty-octets";
/// When the vectors were made.
const THEN: u64 = 0x6b02_451a;

const VECTORS: &str = include_str!("vectors.txt");

/// The messages under a heading of the vectors.
fn messages(heading: &str) -> Vec<Vec<u8>> {
    let mut lines = VECTORS.lines().skip_while(|line| *line != heading).skip(1);
    let mut found = Vec::new();
    while let Some(line) = lines.next().filter(|line| line.len() > 20) {
        found.push((0..line.len() / 2).map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap()).collect());
    }
    assert!(!found.is_empty(), "{heading}");
    found
}

fn key(name: &str, algorithm: Algorithm) -> Arc<Key> {
    Arc::new(Key::new(&name.parse().unwrap(), algorithm, SECRET))
}

fn keys() -> Keys {
    let mut keys = Keys::new(keyed(&mut Dice::from_number(1)));
    for (name, algorithm) in [("K256.test.", 0), ("k384.test.", 1), ("k512.test.", 2)] {
        keys.insert(key(name, Algorithm::ALL[algorithm]));
    }
    keys
}

fn signed(request: &[u8], now: u64) -> Signer {
    match examine(request, &keys(), now) {
        Standing::Signed(signer) => signer,
        other => panic!("{other:?}"),
    }
}

fn refused(request: &[u8], now: u64) -> (TsigError, Vec<u8>) {
    match examine(request, &keys(), now) {
        Standing::Refused { error, response } => (error, response),
        other => panic!("{other:?}"),
    }
}

/// A message without the TSIG record at its end.
fn stripped(message: &[u8]) -> Vec<u8> {
    let start = find(message).ok().flatten().unwrap().start;
    let mut plain = message[..start].to_vec();
    plain[11] -= 1;
    plain
}

#[test]
fn requests_of_others_are_believed() {
    for heading in ["KDIG 256", "DIG 256", "KDIG 384", "DIG 384", "KDIG 512", "DIG 512", "AXFR"] {
        signed(&messages(heading)[0], THEN);
    }
}

#[test]
fn requests_are_signed_as_others_sign_them() {
    for heading in ["KDIG 256", "KDIG 384", "KDIG 512"] {
        let theirs = &messages(heading)[0];
        let key = Arc::clone(signed(theirs, THEN).key());
        let mut ours = stripped(theirs);
        let mut verifier = sign_request(&key, &mut ours, THEN);
        assert_eq!(&ours, theirs);
        assert_eq!(verifier.verify(&messages(heading)[1], THEN), Ok(()));
        assert!(verifier.is_settled());
    }
}

#[test]
fn responses_are_signed_as_others_sign_them() {
    for heading in ["DIG 256", "DIG 384", "DIG 512", "AXFR"] {
        let messages = messages(heading);
        let mut signer = signed(&messages[0], THEN);
        for theirs in &messages[1..] {
            let mut ours = stripped(theirs);
            signer.sign(&mut ours, THEN);
            assert_eq!(&ours, theirs);
        }
    }
}

#[test]
fn a_stream_is_checked_as_one() {
    let messages = messages("AXFR");
    let mut request = stripped(&messages[0]);
    let key = key("k256.test.", Algorithm::HmacSha256);
    let check = |order: &[usize]| {
        let mut verifier = sign_request(&key, &mut request.clone(), THEN);
        order.iter().map(|at| verifier.verify(&messages[*at], THEN)).collect::<Result<Vec<_>, _>>()
    };
    assert!(check(&[1, 2, 3, 4]).is_ok());
    assert_eq!(check(&[1, 3, 2, 4]).err(), Some(Disbelief::WrongMac));
    assert_eq!(check(&[1, 2, 4]).err(), Some(Disbelief::WrongMac));
    assert_eq!(check(&[2]).err(), Some(Disbelief::WrongMac));
    request.clear();
}

#[test]
fn unsigned_messages_of_a_stream_are_covered_by_the_next_signature() {
    let key = key("k256.test.", Algorithm::HmacSha256);
    let mut request = stripped(&messages("KDIG 256")[0]);
    let mut verifier = sign_request(&key, &mut request, THEN);
    let mut signer = signed(&request, THEN);
    let plain = stripped(&messages("KDIG 256")[1]);
    let mut first = plain.clone();
    signer.sign(&mut first, THEN);
    // The second message goes unsigned; the third covers both.
    let mut third = plain.clone();
    let mut transcript = hmac::Context::with_key(&key.secret);
    digest_mac(&signer.prior, &mut transcript);
    transcript.update(&plain);
    transcript.update(&plain);
    let mut tsig = Tsig::by(&key, &third, THEN);
    tsig.digest_timers(&mut transcript);
    let mac = transcript.sign();
    tsig.mac = mac.as_ref();
    tsig.append(&mut third);
    assert_eq!(verifier.verify(&first, THEN), Ok(()));
    assert_eq!(verifier.verify(&plain, THEN), Ok(()));
    assert!(!verifier.is_settled());
    assert_eq!(verifier.verify(&third, THEN), Ok(()));
    assert!(verifier.is_settled());
    for _ in 0..bounds::TSIG_UNSIGNED_MAX {
        assert_eq!(verifier.verify(&plain, THEN), Ok(()));
    }
    assert_eq!(verifier.verify(&plain, THEN), Err(Disbelief::Unsigned));
}

#[test]
fn an_unknown_key_and_a_wrong_mac_are_refused_as_others_refuse_them() {
    for (heading, error) in [("BADKEY", TsigError::BADKEY), ("BADSIG", TsigError::BADSIG)] {
        let messages = messages(heading);
        let (found, mut response) = refused(&messages[0], THEN);
        assert_eq!(found, error);
        response[3] |= messages[1][3] & 0x80; // whether recursion is offered is not TSIG's matter
        assert_eq!(response, messages[1], "{heading}");
    }
}

#[test]
fn a_request_of_another_time_is_told_the_time() {
    let request = &messages("DIG 256")[0];
    let now = THEN + u64::from(FUDGE) + 1;
    signed(request, now - 1);
    signed(request, THEN - u64::from(FUDGE));
    let (error, response) = refused(request, now);
    assert_eq!(error, TsigError::BADTIME);
    let tsig = find(&response).ok().flatten().unwrap();
    assert_eq!((tsig.time, tsig.other.as_slice()), (THEN, &now.to_be_bytes()[2..]));
    assert_eq!(response[3] & 15, 9);
    // The answer is signed, so that the client may believe it.
    let mut plain = stripped(request);
    let mut verifier = sign_request(&key("k256.test.", Algorithm::HmacSha256), &mut plain, THEN);
    assert_eq!(verifier.verify(&response, THEN), Err(Disbelief::Refused(TsigError::BADTIME)));
}

/// The request with a MAC of `length` octets, the first ones of the right one.
fn with_mac_of(request: &[u8], length: usize) -> Vec<u8> {
    let tsig = find(request).ok().flatten().unwrap();
    let mut cut = stripped(request);
    let long = [tsig.mac, &[0; 9]].concat();
    Tsig { mac: &long[..length], ..tsig.clone() }.append(&mut cut);
    cut
}

#[test]
fn a_short_mac_is_refused() {
    let request = &messages("DIG 256")[0];
    let (error, response) = refused(&with_mac_of(request, 16), THEN);
    assert_eq!((error, response[3] & 15), (TsigError::BADTRUNC, 9));
    for length in [0, 9, 15, 33] {
        let (error, response) = refused(&with_mac_of(request, length), THEN);
        assert_eq!((error, response[3] & 15), (TsigError::NONE, 1), "{length}");
    }
    let messages = messages("DIG 256");
    let mut verifier =
        Verifier::new(&key("k256.test.", Algorithm::HmacSha256), find(&messages[0]).ok().flatten().unwrap().mac);
    assert_eq!(verifier.verify(&with_mac_of(&messages[1], 16), THEN), Err(Disbelief::WrongMac));
}

#[test]
fn no_changed_octet_goes_unnoticed() {
    let messages = messages("KDIG 256");
    let end = find(&messages[0]).ok().flatten().unwrap().start;
    for at in 2..end {
        let mut changed = messages[0].clone();
        changed[at] ^= 0x01;
        assert!(!matches!(examine(&changed, &keys(), THEN), Standing::Signed(_)), "octet {at}");
    }
    // A forwarder may change the id: the original one is in the record (RFC 8945 §4.2).
    let mut other_id = messages[0].clone();
    other_id[0] ^= 0xFF;
    signed(&other_id, THEN);
}

#[test]
fn a_signature_stands_at_the_end_and_once() {
    let request = &messages("KDIG 256")[0];
    let mut twice = request.clone();
    let start = find(request).ok().flatten().unwrap().start;
    twice.extend_from_slice(&request[start..]);
    twice[11] += 1;
    assert_eq!(refused(&twice, THEN).1[3] & 15, 1);
    assert!(matches!(examine(&stripped(request), &keys(), THEN), Standing::Unsigned));
    for end in 0..request.len() {
        drop(examine(&request[..end], &keys(), THEN));
    }
}

#[test]
fn algorithms_read_back_as_they_are_written() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        let mut message = stripped(&messages("KDIG 256")[0]);
        let length = message.len();
        let key = key("k256.test.", algorithm);
        drop(sign_request(&key, &mut message, THEN));
        assert!(message.len() - length <= key.room());
    }
    assert_eq!(Algorithm::from_name("HMAC-SHA512."), Some(Algorithm::HmacSha512));
    assert_eq!(Algorithm::from_name("hmac-md5.sig-alg.reg.int."), None);
}
