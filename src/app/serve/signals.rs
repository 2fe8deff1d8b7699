//! Signals: to end, or to read the configuration again.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::control::Control;
use super::reload::By;

/// What signals tell us. One that comes before anybody asks is not lost.
pub(super) struct Signals {
    term: Signal,
    interrupt: Signal,
    hup: Signal,
}

impl Signals {
    /// Listens from now on, in the stead of the system, which would end the process. To be called within the runtime.
    pub(super) fn hook() -> Result<Self, String> {
        let hook = |kind| signal(kind).map_err(|fault| format!("cannot listen for signals: {fault}"));
        let (term, interrupt) = (hook(SignalKind::terminate())?, hook(SignalKind::interrupt())?);
        Ok(Self { term, interrupt, hup: hook(SignalKind::hangup())? })
    }

    /// Does what it is told, until that is to end.
    pub(super) async fn obey(&mut self, control: &Arc<Control>) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hup.recv() => control.order(By::Signal),
            }
        }
    }

    /// Waits until it is told to end.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
