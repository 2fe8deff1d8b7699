//! Frame Streams, as dnstap readers speak it: a length before each frame, and control frames by which the two sides
//! agree on what is sent: the writer says READY, the reader ACCEPT, the writer START; in the end STOP, and the reader
//! FINISH once it has read everything.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The content type of dnstap.
pub const CONTENT: &[u8] = b"protobuf:dnstap.Dnstap";
/// The longest control frame that is read (`FSTRM_CONTROL_FRAME_LENGTH_MAX`).
const CONTROL_MAX: u32 = 512;
/// The field of a control frame that names a content type.
const CONTENT_FIELD: u32 = 1;

/// What a control frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Control {
    /// The reader takes one of the content types offered.
    Accept = 1,
    /// Frames follow.
    Start = 2,
    /// No more frames follow.
    Stop = 3,
    /// The writer offers content types.
    Ready = 4,
    /// The reader has read everything.
    Finish = 5,
}

/// A control frame with our content type, where it has one.
#[must_use]
pub fn control(kind: Control) -> Vec<u8> {
    let has_content = matches!(kind, Control::Ready | Control::Start | Control::Accept);
    let mut body = (kind as u32).to_be_bytes().to_vec();
    if has_content {
        body.extend(CONTENT_FIELD.to_be_bytes());
        body.extend((CONTENT.len() as u32).to_be_bytes());
        body.extend(CONTENT);
    }
    let mut frame = vec![0; 4]; // an escape: a frame of no octets
    frame.extend((body.len() as u32).to_be_bytes());
    frame.append(&mut body);
    frame
}

/// Reads one control frame, which must be `wanted`.
///
/// # Errors
/// The stream's, or that something else came.
pub async fn expect(stream: &mut (impl AsyncRead + Unpin), wanted: Control) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{what} where {wanted:?} was due"));
    if stream.read_u32().await? != 0 {
        return Err(wrong("a data frame"));
    }
    let length = stream.read_u32().await?;
    if !(4..=CONTROL_MAX).contains(&length) {
        return Err(wrong("a control frame of a wrong length"));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    let (kind, fields) = body.split_first_chunk::<4>().ok_or_else(|| wrong("nothing"))?;
    if u32::from_be_bytes(*kind) != wanted as u32 {
        return Err(wrong("another control frame"));
    }
    let is_ours = wanted != Control::Accept || fields.windows(CONTENT.len()).any(|part| part == CONTENT);
    if is_ours { Ok(()) } else { Err(wrong("another content type")) }
}

/// Begins a stream as its writer.
///
/// # Errors
/// The stream's, or that the reader does not want dnstap.
pub async fn begin(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&control(Control::Ready)).await?;
    stream.flush().await?;
    expect(stream, Control::Accept).await?;
    stream.write_all(&control(Control::Start)).await
}

/// Ends a stream and waits until everything was read.
///
/// # Errors
/// The stream's.
pub async fn end(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&control(Control::Stop)).await?;
    stream.flush().await?;
    expect(stream, Control::Finish).await
}
