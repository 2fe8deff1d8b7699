//! The admin addresses: where the server is asked how it fares, opened and closed while it serves. One of them takes
//! everything; beside it there may be one for health alone and one for readiness alone, as orchestrators probe them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::doors::MetricsOf;
use crate::app::config::{Admin, Config, Fault, Severity, Source};
use crate::base::bounds;
use crate::edge::admin::{self, AdminHouse, Part, Token};
use crate::edge::files::read_octets;
use crate::edge::listen::{self, BindFault, Given};

/// What is bound of the admin addresses, before anybody reads it.
pub type Ajar = Vec<(Part, SocketAddr, TcpListener)>;

/// The admin addresses of a running server.
pub struct Hatches {
    runtime: Handle,
    metrics: MetricsOf,
    open: Mutex<Vec<Hatch>>,
}

struct Hatch {
    part: Part,
    wanted: SocketAddr,
    listener: TcpListener,
    token: Option<Token>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// What a configuration changes of the admin addresses, ready to be done.
#[derive(Default)]
pub struct HatchMoves {
    gone: Vec<Part>,
    /// At another address, or with another token where there is no listener.
    new: Vec<(Part, SocketAddr, Option<TcpListener>)>,
    token: Option<Token>,
}

impl HatchMoves {
    /// Whether nothing moves.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }
}

/// Binds the admin addresses of `config`, with what is `given` of them.
///
/// # Errors
/// In words, naming the address.
pub fn bind(config: &Config, given: &mut Given) -> Result<Ajar, String> {
    let parts = config.admin.iter().flat_map(Admin::parts);
    let bound = parts.map(|(part, address)| {
        let listener = given.take_tcp(address).map_or_else(|| listen::bind_admin(address), Ok);
        listener.map(|listener| (part, address, listener)).map_err(|fault: BindFault| format!("admin: {fault}"))
    });
    bound.collect()
}

impl Hatches {
    /// None yet.
    #[must_use]
    pub fn new(runtime: Handle, metrics: MetricsOf) -> Self {
        Self { runtime, metrics, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Vec<Hatch>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what was bound at the start.
    ///
    /// # Errors
    /// In words, where the token cannot be read.
    pub fn begin(&self, config: &Config, ajar: Ajar, house: &Arc<dyn AdminHouse>) -> Result<(), String> {
        let token = token_of(config)?;
        for (part, wanted, listener) in ajar {
            self.serve(part, wanted, listener, token.clone(), house);
        }
        Ok(())
    }

    /// Gets ready what `config`, which was read from `source`, changes.
    ///
    /// # Errors
    /// Every address that cannot be bound, and a token that cannot be read; nothing is bound then.
    pub fn prepare(&self, config: &Config, source: &Source) -> Result<HatchMoves, Vec<Fault>> {
        let fault = |key: &[&str], found: String, allowed: &str| Fault {
            severity: Severity::Fault,
            file: source.file().to_owned(),
            at: source.place(key),
            key: key.join("."),
            found,
            allowed: allowed.into(),
        };
        let mut faults = Vec::new();
        let token = token_of(config).unwrap_or_else(|found| {
            faults.push(fault(&["admin", "token_file"], found, ""));
            None
        });
        let open = self.open();
        let mut moves = HatchMoves { token, ..HatchMoves::default() };
        let wanted: Vec<(Part, SocketAddr)> = config.admin.iter().flat_map(Admin::parts).collect();
        for (part, address) in &wanted {
            match open.iter().find(|hatch| hatch.part == *part && hatch.wanted == *address) {
                Some(hatch) if hatch.token == moves.token => {}
                Some(_) => moves.new.push((*part, *address, None)),
                None => match listen::bind_admin(*address) {
                    Ok(listener) => moves.new.push((*part, *address, Some(listener))),
                    Err(found) => {
                        faults.push(fault(&["admin"], found.to_string(), "an address that this machine lets us bind"));
                    }
                },
            }
        }
        let is_wanted = |hatch: &&Hatch| wanted.iter().any(|(part, _)| *part == hatch.part);
        moves.gone = open.iter().filter(|hatch| !is_wanted(hatch)).map(|hatch| hatch.part).collect();
        if faults.is_empty() { Ok(moves) } else { Err(faults) }
    }

    /// Opens what is new, then closes what is old.
    pub fn carry_out(&self, moves: HatchMoves, house: &Arc<dyn AdminHouse>) {
        for (part, wanted, listener) in moves.new {
            let known = || {
                let open = self.open();
                open.iter().find(|hatch| hatch.part == part).and_then(|hatch| hatch.listener.try_clone().ok())
            };
            if let Some(listener) = listener.or_else(known) {
                self.serve(part, wanted, listener, moves.token.clone(), house);
            }
        }
        self.open().retain(|hatch| {
            let is_gone = moves.gone.contains(&hatch.part);
            if is_gone {
                hatch.stop.send_replace(true);
                info!("no longer {}", hatch.part.word());
            }
            !is_gone
        });
    }

    /// Serves an address with this token, beside or in the place of what did before.
    fn serve(
        &self,
        part: Part,
        wanted: SocketAddr,
        listener: TcpListener,
        token: Option<Token>,
        house: &Arc<dyn AdminHouse>,
    ) {
        let (stop, stopped) = watch::channel(false);
        let serving = listener.set_nonblocking(true).and_then(|()| listener.try_clone());
        let _within = self.runtime.enter();
        let serving = match serving.and_then(tokio::net::TcpListener::from_std) {
            Ok(serving) => serving,
            Err(fault) => return warn!("cannot serve {}: {fault}", part.word()),
        };
        info!("{} on http://{}", part.word(), listener.local_addr().unwrap_or(wanted));
        let task = admin::serve(serving, part, Arc::clone(house), (self.metrics)(), token.clone(), stopped);
        let serving = self.runtime.spawn(task);
        let mut open = self.open();
        if let Some(at) = open.iter().position(|hatch| hatch.part == part) {
            open.swap_remove(at).stop.send_replace(true); // what it is at is finished
        }
        open.push(Hatch { part, wanted, listener, token, stop, serving });
    }

    /// All listeners once more.
    ///
    /// # Errors
    /// The system's, where it has no descriptor left.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.open().iter().map(|hatch| hatch.listener.try_clone().map(OwnedFd::from)).collect()
    }

    /// Takes no more commands.
    pub fn shut(&self) {
        for hatch in self.open().iter() {
            hatch.stop.send_replace(true);
        }
    }

    /// Waits for the commands that are under way, once no more are taken.
    pub async fn await_commands(&self) {
        let open = std::mem::take(&mut *self.open());
        let end = async {
            for hatch in open {
                hatch.serving.await.ok();
            }
        };
        tokio::time::timeout(bounds::STEP_DOWN_COMMANDS, end).await.ok();
    }
}

/// The token of the admin address.
///
/// # Errors
/// In words, where it cannot be read.
pub fn token_of(config: &Config) -> Result<Option<Token>, String> {
    config.admin.as_ref().and_then(|admin| admin.token_file.as_deref()).map(token).transpose()
}

fn token(path: &Path) -> Result<Token, String> {
    let (octets, _) =
        read_octets(path, bounds::TEXT_FILE_MAX).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let wanted = format!("a token of {} to {} visible ASCII letters", Token::OCTETS_MIN, Token::OCTETS_MAX);
    Token::parse(&octets).ok_or_else(|| format!("{}: found something else, allowed: {wanted}", path.display()))
}
