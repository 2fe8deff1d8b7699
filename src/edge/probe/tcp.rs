//! A connection, and perhaps a few words on it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Finding, Probed, Target, connect};
use crate::base::bounds;

pub(super) async fn probe(target: &Target, port: u16, send: Option<&str>, expect: Option<&str>) -> Probed<Finding> {
    let mut stream = connect(target, port).await?;
    if let Some(text) = send {
        let sent = stream.write_all(text.as_bytes()).await;
        sent.map_err(|fault| Finding::bad(format_args!("not sent: {fault}")))?;
    }
    let Some(expect) = expect else { return Ok(Finding::good("connected")) };
    let mut seen = Vec::new();
    let wanted = expect.len().min(bounds::CHECK_BODY_MAX);
    let read = (&mut stream).take(wanted as u64).read_to_end(&mut seen).await;
    read.map_err(|fault| Finding::bad(format_args!("not received: {fault}")))?;
    if seen == expect.as_bytes() {
        Ok(Finding::good("said what is expected"))
    } else {
        Ok(Finding::bad(format_args!("said {:?}", String::from_utf8_lossy(&seen))))
    }
}
