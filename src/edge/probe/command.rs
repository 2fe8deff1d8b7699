//! A program whose exit status is the finding. No shell; it and all that it started end with the probe.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, sink};
use tokio::process::{Child, Command};

use super::{Finding, Probed, Subject};
use crate::base::bounds;

/// A running program with all that it starts; killed when dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // The id is none once the program was awaited: the number may be another's by then.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            rustix::process::kill_process_group(id, rustix::process::Signal::KILL).ok();
        }
    }
}

pub(super) async fn probe(program: &Path, arguments: &[Box<str>], subject: &Subject) -> Probed<Finding> {
    let spawned = Command::new(program)
        .args(arguments.iter().map(|argument| subject.fill(argument)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let child =
        spawned.map_err(|fault| Finding::untold(format_args!("{} does not start: {fault}", program.display())))?;
    let mut group = Group(child);
    let mut said = Vec::new();
    if let Some(mut out) = group.0.stdout.take() {
        // What it says beyond the bound is thrown away, so that it is never stuck at a full pipe.
        (&mut out).take(bounds::CHECK_OUTPUT_MAX).read_to_end(&mut said).await.ok();
        tokio::io::copy(&mut out, &mut sink()).await.ok();
    }
    let status = group.0.wait().await.map_err(|fault| Finding::untold(format_args!("no exit status: {fault}")))?;
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().next().unwrap_or_default();
    if status.success() {
        Ok(Finding::good(format_args!("exit status 0 {said}")))
    } else {
        Ok(Finding::bad(format_args!("{status} {said}")))
    }
}
