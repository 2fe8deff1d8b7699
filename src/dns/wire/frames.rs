//! A stream's octets into messages: two octets of length stand before each (RFC 1035 §4.2.2).
//!
//! Octets go in as they came, whole messages come out in order, however the stream was cut on its way. Who takes
//! every message before pushing more never holds more than one message beside what was pushed last. Between messages
//! no room is held: most connections are idle most of the time.

/// What came of a stream and has not been taken yet.
#[derive(Debug, Default)]
pub struct Frames {
    octets: Vec<u8>,
    /// How many of them have been taken.
    taken: usize,
}

impl Frames {
    /// Takes in octets as they came.
    pub fn push(&mut self, octets: &[u8]) {
        self.forget_taken();
        self.octets.extend_from_slice(octets);
    }

    /// The next whole message without its length, if it is there; a length of 0 gives an empty one.
    pub fn take(&mut self) -> Option<&[u8]> {
        let Some(length) = self.next_length() else {
            self.forget_taken();
            return None;
        };
        let begin = self.taken + 2;
        self.taken = begin + length;
        self.octets.get(begin..self.taken)
    }

    /// Whether a whole message is there.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.next_length().is_some()
    }

    /// The octets of the next message, if it is whole.
    fn next_length(&self) -> Option<usize> {
        let rest = self.octets.get(self.taken..).unwrap_or_default();
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?));
        (rest.len() >= 2 + length).then_some(length)
    }

    /// Octets that are held: of messages not taken yet, and of one that is not whole.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.octets.len() - self.taken
    }

    /// Whether the stream stands between two messages.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget_taken(&mut self) {
        self.octets.drain(..self.taken);
        self.taken = 0;
        if self.octets.is_empty() {
            self.octets = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| frames.take().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let stream = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0];
        for cut in 0..=stream.len() {
            let (mut frames, (first, second)) = (Frames::default(), stream.split_at(cut));
            frames.push(first);
            let mut messages = all(&mut frames);
            frames.push(second);
            messages.extend(all(&mut frames));
            assert_eq!(messages, [vec![1, 2, 3], vec![], vec![9]], "cut at {cut}");
            assert_eq!(frames.len(), 1, "the length of the next message has begun");
        }
    }

    #[test]
    fn between_messages_no_room_is_held() {
        let mut frames = Frames::default();
        frames.push(&vec![0xFF; 2 + 0xFFFF]);
        assert_eq!(all(&mut frames), [vec![0xFF; 0xFFFF]]);
        assert!(frames.is_empty() && frames.octets.capacity() == 0);
    }
}
