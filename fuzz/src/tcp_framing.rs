//! A stream of messages, cut anywhere: the same messages come out, and no more is held than one of them beside what
//! came last.
//!
//! The first octet says how many cuts there are; as many octets follow that say after how many octets each is (0 for
//! 256); the rest is the stream. What is behind the last cut comes as one piece.

use meridian::dns::wire::Frames;

/// See the module's text.
pub fn run(data: &[u8]) {
    let Some((&cuts, rest)) = data.split_first() else { return };
    let (cuts, stream) = rest.split_at(usize::from(cuts).min(rest.len()));
    let (expected, unfinished) = model(stream);
    let (mut frames, mut found, mut rest) = (Frames::default(), Vec::new(), stream);
    for &cut in cuts {
        let length = if cut == 0 { 256 } else { usize::from(cut) };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        push(&mut frames, piece, &mut found);
        rest = behind;
    }
    push(&mut frames, rest, &mut found);
    assert_eq!(found, expected, "the cuts change the messages");
    assert_eq!((frames.len(), frames.is_empty()), (unfinished, unfinished == 0));

    // Whoever cannot take messages yet finds them all later.
    let mut patient = Frames::default();
    stream.chunks(7).for_each(|piece| patient.push(piece));
    assert_eq!(patient.len(), stream.len());
    found.clear();
    push(&mut patient, &[], &mut found);
    assert_eq!(found, expected);
}

fn push(frames: &mut Frames, piece: &[u8], found: &mut Vec<Vec<u8>>) {
    frames.push(piece);
    while let Some(message) = frames.take() {
        found.push(message.to_vec());
    }
    assert!(frames.len() < 2 + 0xFFFF, "{} octets are held", frames.len());
}

/// The messages of a stream, and how many octets are left over.
fn model(mut stream: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut messages = Vec::new();
    while stream.len() >= 2 {
        let length = usize::from(stream[0]) << 8 | usize::from(stream[1]);
        let Some(message) = stream.get(2..2 + length) else { break };
        messages.push(message.to_vec());
        stream = &stream[2 + length..];
    }
    (messages, stream.len())
}
