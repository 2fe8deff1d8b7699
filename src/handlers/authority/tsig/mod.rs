//! Signed messages between servers that share a secret (TSIG, RFC 8945).
//!
//! A request comes in and leaves with a [`Standing`]: unsigned, signed by a key that we know, or refused with the
//! response that the RFC wants. A [`Signer`] signs the responses to one request, be it one or a stream; a
//! [`Verifier`] checks them for the one who asked. The time is an argument, seconds since 1970. A MAC is whole or
//! is refused: nobody has a use for a short one.

mod record;

use std::sync::Arc;

use ring::hmac;

use record::{Malformed, Tsig, digest_mac, find};

use crate::base::bounds;
use crate::base::collections::{Keyed, Map};
use crate::dns::wire::{Composer, Reader};
use crate::dns::{Class, Flags, Name, Question, Rcode, RecordType};

/// Seconds by which clocks may differ (RFC 8945 §10).
pub const FUDGE: u16 = 300;

const HEADER: usize = 12;

/// How a key makes MACs (RFC 8945 §6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// hmac-sha256
    HmacSha256,
    /// hmac-sha384
    HmacSha384,
    /// hmac-sha512
    HmacSha512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// The name, as in configurations and, with a dot, on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// The algorithm of this name, letter case aside; a dot at the end may be there.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }

    /// The name's wire form.
    fn wire(self) -> Vec<u8> {
        let name = self.name();
        [&[name.len() as u8], name.as_bytes(), &[0]].concat()
    }

    const fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha384 => hmac::HMAC_SHA384,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        }
    }

    const fn mac_length(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }
}

/// A shared secret by its name.
pub struct Key {
    name: Name,
    algorithm: Algorithm,
    secret: hmac::Key,
    secret_hash: [u8; 8],
}

impl Key {
    /// The key `name` with the octets of its `secret`.
    #[must_use]
    pub fn new(name: &Name, algorithm: Algorithm, secret: &[u8]) -> Self {
        let secret = hmac::Key::new(algorithm.hmac(), secret);
        let tag = hmac::sign(&secret, b"the same secret");
        let secret_hash = tag.as_ref().first_chunk().copied().unwrap_or_default();
        Self { name: name.lowered(), algorithm, secret, secret_hash }
    }

    /// The name, letters small.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Octets that a signature takes in a message at most.
    #[must_use]
    pub fn room(&self) -> usize {
        self.name.wire().len() + 10 + self.algorithm.wire().len() + 16 + self.algorithm.mac_length() + 6
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} {})", self.name, self.algorithm.name())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.algorithm, self.secret_hash) == (&other.name, other.algorithm, other.secret_hash)
    }
}

impl Eq for Key {}

/// The keys that we know.
#[derive(Clone, Debug)]
pub struct Keys(Map<Name, Arc<Key>>);

impl Keys {
    /// No keys.
    #[must_use]
    pub fn new(keyed: Keyed) -> Self {
        Self(Map::with_hasher(keyed))
    }

    /// Adds a key, or replaces the one of the same name.
    pub fn insert(&mut self, key: Arc<Key>) {
        self.0.insert(key.name.clone(), key);
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &Name) -> Option<&Arc<Key>> {
        self.0.get(name)
    }
}

/// The error field of a TSIG record (RFC 8945 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TsigError(pub u16);

impl TsigError {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The MAC is wrong.
    pub const BADSIG: Self = Self(16);
    /// The key is not known.
    pub const BADKEY: Self = Self(17);
    /// The clocks differ too much, or the message was held back.
    pub const BADTIME: Self = Self(18);
    /// The MAC is shorter than we want.
    pub const BADTRUNC: Self = Self(22);
}

impl std::fmt::Display for TsigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::NONE => f.write_str("no error"),
            Self::BADSIG => f.write_str("BADSIG"),
            Self::BADKEY => f.write_str("BADKEY"),
            Self::BADTIME => f.write_str("BADTIME"),
            Self::BADTRUNC => f.write_str("BADTRUNC"),
            Self(other) => write!(f, "TSIG error {other}"),
        }
    }
}

/// What a request's signature is worth.
#[derive(Debug)]
pub enum Standing {
    /// There is none.
    Unsigned,
    /// It is good; the responses are to be signed by this signer.
    Signed(Signer),
    /// It is not: this response is sent, and nothing else is done.
    Refused {
        /// Why, for the log.
        error: TsigError,
        /// The whole response.
        response: Vec<u8>,
    },
}

/// Examines the signature of a `request` that came at `now`.
#[must_use]
pub fn examine(request: &[u8], keys: &Keys, now: u64) -> Standing {
    examine_by(request, |name| keys.key(name).cloned(), now)
}

/// The same, with keys that are looked up by `key_of`.
#[must_use]
pub fn examine_by(request: &[u8], key_of: impl FnOnce(&Name) -> Option<Arc<Key>>, now: u64) -> Standing {
    let tsig = match find(request) {
        Ok(None) => return Standing::Unsigned,
        Ok(Some(tsig)) => tsig,
        Err(Malformed) => return refuse(request, Rcode::FORMERR, TsigError::NONE, None),
    };
    let algorithm = Algorithm::from_name(&tsig.algorithm.to_string());
    let key = key_of(&tsig.key_name).filter(|key| algorithm == Some(key.algorithm));
    let Some(key) = key else {
        return refuse(request, Rcode::NOTAUTH, TsigError::BADKEY, Some((&tsig, None)));
    };
    let full = key.algorithm.mac_length();
    let mut transcript = hmac::Context::with_key(&key.secret);
    tsig.digest_message(request, &mut transcript);
    tsig.digest_variables(&mut transcript);
    let mac = transcript.sign();
    // RFC 8945 §5.2.2.1: longer than the hash, or shorter than 10 octets or its half, is no MAC at all.
    if tsig.mac.len() > full || tsig.mac.len() < (full / 2).max(10) {
        return refuse(request, Rcode::FORMERR, TsigError::NONE, None);
    }
    if !is_same(mac.as_ref().get(..tsig.mac.len()).unwrap_or_default(), tsig.mac) {
        return refuse(request, Rcode::NOTAUTH, TsigError::BADSIG, Some((&tsig, None)));
    }
    let signer = Signer { key, prior: tsig.mac.to_vec(), is_first: true };
    if now.abs_diff(tsig.time) > u64::from(tsig.fudge) {
        return refuse(request, Rcode::NOTAUTH, TsigError::BADTIME, Some((&tsig, Some((signer, now)))));
    }
    if tsig.mac.len() < full {
        return refuse(request, Rcode::NOTAUTH, TsigError::BADTRUNC, Some((&tsig, Some((signer, now)))));
    }
    Standing::Signed(signer)
}

/// The response to a request whose signature is not accepted. An error of the key or the MAC is told unsigned, one
/// of the time or the length signed (RFC 8945 §5.3.2).
fn refuse(
    request: &[u8],
    rcode: Rcode,
    error: TsigError,
    about: Option<(&Tsig<'_>, Option<(Signer, u64)>)>,
) -> Standing {
    let mut response = bare_response(request, rcode);
    if let Some((tsig, signer)) = about {
        let key_name = tsig.key_name.lowered();
        let algorithm = tsig.algorithm.lowered();
        let mut own = Tsig { key_name, algorithm, mac: &[], error, other: Vec::new(), start: 0, ..*tsig };
        match signer {
            Some((signer, now)) => {
                if error == TsigError::BADTIME {
                    // Their time is echoed and ours told, so that they can see which clock is wrong (§5.2.3).
                    own.other = now.to_be_bytes().get(2..).unwrap_or_default().to_vec();
                } else {
                    own.time = now;
                }
                let mut transcript = hmac::Context::with_key(&signer.key.secret);
                digest_mac(&signer.prior, &mut transcript);
                transcript.update(&response);
                own.digest_variables(&mut transcript);
                let mac = transcript.sign();
                own.mac = mac.as_ref();
                own.append(&mut response);
            }
            None => own.append(&mut response),
        }
    }
    Standing::Refused { error, response }
}

/// The header of a response to `request`, with its question where that can be read.
fn bare_response(request: &[u8], rcode: Rcode) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Reader::new(request, 0);
    let mut word = || reader.u16().ok();
    let (Some(id), Some(bits), Some(questions)) = (word(), word(), word()) else { return out };
    let asked = Flags::from_bits(bits);
    let flags =
        Flags { response: true, opcode: asked.opcode, recursion_desired: asked.recursion_desired, ..Flags::default() };
    let question = if questions == 1 { read_question(request) } else { None };
    if let Ok(mut composer) = Composer::new(&mut out, bounds::UDP_RESPONSE_FLOOR, id, flags, rcode) {
        if let Some(question) = question {
            composer.question(&question).ok();
        }
        composer.finish();
    }
    out
}

fn read_question(request: &[u8]) -> Option<Question> {
    let mut reader = Reader::new(request, HEADER);
    let mut question = Question::new(reader.name().ok()?, RecordType(reader.u16().ok()?));
    question.class = Class(reader.u16().ok()?);
    Some(question)
}

/// Signs the messages of one side of an exchange, one after the other.
#[derive(Clone)]
pub struct Signer {
    key: Arc<Key>,
    /// The MAC before: the request's, then that of the message before.
    prior: Vec<u8>,
    is_first: bool,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.key.name)
    }
}

impl Signer {
    /// The key that signs.
    #[must_use]
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Signs a whole `message`, which must have [`Key::room`] octets left. The first of a stream is signed with
    /// all variables, the others with the timers only (RFC 8945 §5.3.1).
    pub fn sign(&mut self, message: &mut Vec<u8>, now: u64) {
        let mut transcript = hmac::Context::with_key(&self.key.secret);
        digest_mac(&self.prior, &mut transcript);
        transcript.update(message);
        let mut tsig = Tsig::by(&self.key, message, now);
        if std::mem::replace(&mut self.is_first, false) {
            tsig.digest_variables(&mut transcript);
        } else {
            tsig.digest_timers(&mut transcript);
        }
        let mac = transcript.sign();
        tsig.mac = mac.as_ref();
        tsig.append(message);
        self.prior = mac.as_ref().to_vec();
    }
}

/// Signs a request, and returns what its responses are checked with.
#[must_use]
pub fn sign_request(key: &Arc<Key>, request: &mut Vec<u8>, now: u64) -> Verifier {
    let mut transcript = hmac::Context::with_key(&key.secret);
    transcript.update(request);
    let mut tsig = Tsig::by(key, request, now);
    tsig.digest_variables(&mut transcript);
    let mac = transcript.sign();
    tsig.mac = mac.as_ref();
    tsig.append(request);
    Verifier::new(key, mac.as_ref())
}

/// Why a response is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disbelief {
    /// It should be signed and is not.
    Unsigned,
    /// Its TSIG record is malformed or in the wrong place.
    Malformed,
    /// It is signed with another key or algorithm.
    OtherKey,
    /// Its MAC is wrong or cut short.
    WrongMac,
    /// It was signed too long ago, or in the future.
    WrongTime,
    /// The other side did not accept our signature.
    Refused(TsigError),
}

impl std::fmt::Display for Disbelief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsigned => f.write_str("a response is not signed"),
            Self::Malformed => f.write_str("a response has a malformed TSIG record"),
            Self::OtherKey => f.write_str("a response is signed with another key"),
            Self::WrongMac => f.write_str("a response has a wrong MAC"),
            Self::WrongTime => f.write_str("a response was not signed now: do the clocks differ?"),
            Self::Refused(error) => write!(f, "our signature was refused: {error}"),
        }
    }
}

/// Checks the responses to one request.
pub struct Verifier {
    key: Arc<Key>,
    /// What the next signature covers, as far as it has come.
    transcript: hmac::Context,
    is_first: bool,
    /// Messages since the last signature.
    unsigned: usize,
}

impl Verifier {
    fn new(key: &Arc<Key>, mac: &[u8]) -> Self {
        let mut transcript = hmac::Context::with_key(&key.secret);
        digest_mac(mac, &mut transcript);
        Self { key: Arc::clone(key), transcript, is_first: true, unsigned: 0 }
    }

    /// Checks the next message of the response. In a stream, all but the first and the last may be unsigned; they
    /// are covered by the next signature (RFC 8945 §5.3.1).
    ///
    /// # Errors
    /// [`Disbelief`]; nothing of the response must then be used.
    pub fn verify(&mut self, message: &[u8], now: u64) -> Result<(), Disbelief> {
        let Some(tsig) = find(message).map_err(|Malformed| Disbelief::Malformed)? else {
            self.unsigned += 1;
            if self.is_first || self.unsigned > bounds::TSIG_UNSIGNED_MAX {
                return Err(Disbelief::Unsigned);
            }
            self.transcript.update(message);
            return Ok(());
        };
        if tsig.error != TsigError::NONE && tsig.mac.is_empty() {
            return Err(Disbelief::Refused(tsig.error)); // unsigned: believed only in that it brings nothing
        }
        if tsig.key_name != self.key.name
            || Algorithm::from_name(&tsig.algorithm.to_string()) != Some(self.key.algorithm)
        {
            return Err(Disbelief::OtherKey);
        }
        let mut transcript = self.transcript.clone();
        tsig.digest_message(message, &mut transcript);
        if std::mem::replace(&mut self.is_first, false) {
            tsig.digest_variables(&mut transcript);
        } else {
            tsig.digest_timers(&mut transcript);
        }
        let mac = transcript.sign();
        if !is_same(mac.as_ref(), tsig.mac) {
            return Err(Disbelief::WrongMac);
        }
        if tsig.error != TsigError::NONE {
            return Err(Disbelief::Refused(tsig.error));
        }
        if now.abs_diff(tsig.time) > u64::from(tsig.fudge) {
            return Err(Disbelief::WrongTime);
        }
        self.unsigned = 0;
        self.transcript = hmac::Context::with_key(&self.key.secret);
        digest_mac(mac.as_ref(), &mut self.transcript);
        Ok(())
    }

    /// Whether every message so far is covered by a signature, as the last one must be.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.unsigned == 0 && !self.is_first
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.key.name)
    }
}

/// Whether two MACs are the same, in a time that does not tell where they differ.
fn is_same(one: &[u8], two: &[u8]) -> bool {
    let differences = one.iter().zip(two).fold(0, |found, (a, b)| std::hint::black_box(found | (a ^ b)));
    one.len() == two.len() && differences == 0
}

#[cfg(test)]
mod tests;
