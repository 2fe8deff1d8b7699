//! Answers on their way to a client: messages with their lengths, in pieces of bounded size.
//!
//! One growing buffer would be copied whenever it grows and hold what is written until all of it is; many connections
//! that leave their answers unread would so hold several times what is owed to them.

use std::collections::VecDeque;
use std::io::IoSlice;

/// Octets of a piece, where no message is larger.
const PIECE: usize = 4 * 1_024;
/// Pieces written by one system call.
pub(super) const PIECES_AT_ONCE: usize = 16;

/// Octets to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pieces: VecDeque<Vec<u8>>,
    /// Octets of the first piece that are written.
    written: usize,
    /// Octets of all pieces that are not.
    left: usize,
}

impl Answers {
    /// Adds a message of so many octets as its length can say; whether it could.
    pub(super) fn push(&mut self, message: &[u8]) -> bool {
        let Ok(length) = u16::try_from(message.len()) else { return false };
        let size = 2 + message.len();
        let has_room = self.pieces.back().is_some_and(|piece| piece.capacity() - piece.len() >= size);
        if !has_room {
            self.pieces.push_back(Vec::with_capacity(if size <= PIECE { self.piece() } else { size }));
        }
        if let Some(piece) = self.pieces.back_mut() {
            piece.extend_from_slice(&length.to_be_bytes());
            piece.extend_from_slice(message);
        }
        self.left += size;
        true
    }

    /// Octets of the next piece: most connections are owed one answer, few of them many.
    fn piece(&self) -> usize {
        if self.pieces.is_empty() { PIECE / 4 } else { PIECE }
    }

    /// Moves all of `later` behind what is here.
    pub(super) fn append(&mut self, later: &mut Self) {
        self.left += std::mem::take(&mut later.left);
        self.pieces.append(&mut later.pieces);
    }

    /// Octets not written yet.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// What is to be written next, and how many of `slices` it fills.
    pub(super) fn next<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (at, (slice, piece)) in slices.iter_mut().zip(&self.pieces).enumerate() {
            let from = if at == 0 { self.written } else { 0 };
            *slice = IoSlice::new(piece.get(from..).unwrap_or_default());
            filled = at + 1;
        }
        filled
    }

    /// So many octets are written.
    pub(super) fn advance(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(octets);
        self.written += octets;
        while let Some(first) = self.pieces.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() {
            // An idle connection holds no buffer.
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Octets that are held.
    fn held(answers: &Answers) -> usize {
        answers.pieces.iter().map(Vec::capacity).sum()
    }

    /// Writes at most `most` octets.
    fn write(answers: &mut Answers, most: usize, out: &mut Vec<u8>) {
        let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
        let filled = answers.next(&mut slices);
        let octets: Vec<u8> = slices.iter().take(filled).flat_map(|slice| slice.iter().copied()).take(most).collect();
        answers.advance(octets.len());
        out.extend(octets);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_however_it_is_written(
            steps in prop::collection::vec((0..3u8, 0..6_000usize), 1..200),
        ) {
            let (mut answers, mut late) = (Answers::default(), Answers::default());
            let (mut expected, mut out) = (Vec::new(), Vec::new());
            for (number, (what, size)) in steps.into_iter().enumerate() {
                match what {
                    0 => {
                        let message = vec![number as u8; size];
                        prop_assert!(late.push(&message));
                        expected.extend((size as u16).to_be_bytes());
                        expected.extend(message);
                    }
                    1 => answers.append(&mut late),
                    _ => write(&mut answers, size, &mut out),
                }
                prop_assert_eq!(out.len() + answers.left() + late.left(), expected.len());
            }
            answers.append(&mut late);
            while answers.left() > 0 {
                write(&mut answers, usize::MAX, &mut out);
            }
            prop_assert_eq!(out, expected);
            prop_assert_eq!(held(&answers), 0);
        }

        #[test]
        fn no_more_is_held_than_twice_what_is_owed_and_a_piece(sizes in prop::collection::vec(0..2_000usize, 0..100)) {
            let mut answers = Answers::default();
            for size in sizes {
                answers.push(&vec![0; size]);
            }
            prop_assert!(held(&answers) <= 2 * answers.left() + PIECE, "{} for {}", held(&answers), answers.left());
        }
    }

    #[test]
    fn a_message_longer_than_a_length_can_say_is_refused() {
        let mut answers = Answers::default();
        assert!(answers.push(&vec![0; 65_535]) && !answers.push(&vec![0; 65_536]));
        assert_eq!(answers.left(), 65_537);
    }
}
