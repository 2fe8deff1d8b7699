//! Reads numbers and names from a message. Work and memory are linear in the message's length.

use std::fmt;

use smallvec::SmallVec;

use crate::base::bounds;
use crate::dns::Name;
use crate::dns::name::{LABEL_MAX, NAME_MAX};

/// Why bytes are no DNS message, and at which octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireFault {
    /// The message ends in the middle of something.
    Short {
        /// Offset of what is cut.
        at: usize,
    },
    /// A compression pointer does not point backwards, or the name has too many of them.
    Pointer {
        /// Offset of the pointer.
        at: usize,
    },
    /// A label of an unknown kind (RFC 6891 §5), or a name of more than 255 octets.
    Name {
        /// Offset of the label.
        at: usize,
    },
    /// RDATA is longer or shorter than its type can be.
    Rdata {
        /// Offset of the RDATA.
        at: usize,
    },
    /// There is more than one OPT record, or it does not belong to the root (RFC 6891 §6.1.1).
    Opt {
        /// Offset of the record.
        at: usize,
    },
    /// Octets follow the last record.
    Trailing {
        /// Offset of the first of them.
        at: usize,
    },
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { at } => write!(f, "the message is cut at octet {at}"),
            Self::Pointer { at } => write!(f, "bad compression pointer at octet {at}"),
            Self::Name { at } => write!(f, "bad name at octet {at}"),
            Self::Rdata { at } => write!(f, "bad RDATA at octet {at}"),
            Self::Opt { at } => write!(f, "bad OPT record at octet {at}"),
            Self::Trailing { at } => write!(f, "octets after the last record, at {at}"),
        }
    }
}

impl std::error::Error for WireFault {}

/// A place in a message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at octet `at` of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8], at: usize) -> Self {
        Self { message, at }
    }

    /// The offset of the next octet.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Whether every octet has been read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at >= self.message.len()
    }

    /// The next `length` octets.
    ///
    /// # Errors
    /// [`WireFault::Short`].
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], WireFault> {
        let taken = self
            .at
            .checked_add(length)
            .and_then(|end| self.message.get(self.at..end))
            .ok_or(WireFault::Short { at: self.at })?;
        self.at += length;
        Ok(taken)
    }

    /// The next octet.
    ///
    /// # Errors
    /// [`WireFault::Short`].
    pub fn u8(&mut self) -> Result<u8, WireFault> {
        self.bytes(1).map(|octets| octets.first().copied().unwrap_or(0))
    }

    /// The next two octets, the higher first.
    ///
    /// # Errors
    /// [`WireFault::Short`].
    pub fn u16(&mut self) -> Result<u16, WireFault> {
        Ok(self.bytes(2)?.iter().fold(0, |number, &octet| number << 8 | u16::from(octet)))
    }

    /// The next four octets, the highest first.
    ///
    /// # Errors
    /// [`WireFault::Short`].
    pub fn u32(&mut self) -> Result<u32, WireFault> {
        Ok(self.bytes(4)?.iter().fold(0, |number, &octet| number << 8 | u32::from(octet)))
    }

    /// Leaves a name out: only where it ends is looked for.
    ///
    /// # Errors
    /// [`WireFault::Short`] or [`WireFault::Name`].
    pub fn skip_name(&mut self) -> Result<(), WireFault> {
        loop {
            let at = self.at;
            match self.u8()? {
                0 => return Ok(()),
                length if usize::from(length) <= LABEL_MAX => drop(self.bytes(usize::from(length))?),
                0xC0.. => return self.bytes(1).map(drop),
                _ => return Err(WireFault::Name { at }),
            }
        }
    }

    /// The next name, compression undone (RFC 1035 §4.1.4). A pointer must point before the labels that led to
    /// it, so every name ends.
    ///
    /// # Errors
    /// [`WireFault::Short`], [`WireFault::Pointer`] or [`WireFault::Name`].
    pub fn name(&mut self) -> Result<Name, WireFault> {
        let mut wire: SmallVec<[u8; NAME_MAX]> = SmallVec::new();
        let (mut at, mut start, mut hops) = (self.at, self.at, 0);
        let mut after = None;
        loop {
            let &length = self.message.get(at).ok_or(WireFault::Short { at })?;
            match length {
                0 => {
                    wire.push(0);
                    self.at = after.unwrap_or(at + 1);
                    return Ok(Name::from_checked_wire(&wire));
                }
                length if usize::from(length) <= LABEL_MAX => {
                    let end = at + 1 + usize::from(length);
                    let label = self.message.get(at..end).ok_or(WireFault::Short { at })?;
                    if wire.len() + label.len() >= NAME_MAX {
                        return Err(WireFault::Name { at });
                    }
                    wire.extend_from_slice(label);
                    at = end;
                }
                0xC0.. => {
                    let &low = self.message.get(at + 1).ok_or(WireFault::Short { at })?;
                    let target = usize::from(length & 0x3F) << 8 | usize::from(low);
                    hops += 1;
                    if target >= start || hops > bounds::POINTER_HOPS_MAX {
                        return Err(WireFault::Pointer { at });
                    }
                    after.get_or_insert(at + 2);
                    (at, start) = (target, target);
                }
                _ => return Err(WireFault::Name { at }),
            }
        }
    }
}
