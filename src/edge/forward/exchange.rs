//! One exchange with one upstream: UDP first, TCP where UDP cannot do (TC, or a response that may be forged),
//! without EDNS where the upstream does not know it. hickory moves the messages.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query};
use hickory_resolver::proto::rr::{self, DNSClass};
use hickory_resolver::proto::serialize::binary::BinDecodable;
use tokio::sync::Mutex;
use tokio::time::{Instant as Moment, timeout};

use super::{Account, ForwardFault, Target};
use crate::base::bounds;
use crate::dns::{Question, Rcode};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) question: Question,
    pub(super) dnssec_ok: bool,
    pub(super) checking_disabled: bool,
    pub(super) randomises_case: bool,
}

/// A response that belongs to the question.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    rcode: Rcode,
}

impl Reply {
    /// Whether the response says what there is at the name, or that there is nothing.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.rcode, Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::YXDOMAIN)
    }

    /// Whether the upstream will not serve us at all.
    pub(super) fn is_refusal(&self) -> bool {
        self.rcode == Rcode::REFUSED
    }
}

/// An upstream and the connection to it.
pub(super) struct Upstream {
    address: SocketAddr,
    is_tcp_only: bool,
    account: Arc<Account>,
    /// Owns the tasks that drive connections, which end with it; so it must outlive them.
    runtime: TokioRuntimeProvider,
    connection: Mutex<Option<Connection>>,
}

/// A TCP connection, shared by all questions that need one.
struct Connection {
    exchange: DnsExchange<TokioRuntimeProvider>,
    begun: Moment,
    last_used: Moment,
    uses: u32,
}

impl Upstream {
    pub(super) fn new(Target { address, is_tcp_only }: Target, account: Arc<Account>) -> Self {
        Self { address, is_tcp_only, account, runtime: TokioRuntimeProvider::new(), connection: Mutex::new(None) }
    }

    pub(super) const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the upstream; a datagram without response is repeated after `patience`. Takes at most
    /// [`bounds::RTO_MAX`] over UDP, and as long again where TCP must follow.
    pub(super) async fn exchange(&self, asking: &Asking, patience: Duration) -> Result<Reply, ForwardFault> {
        let begun = Moment::now();
        self.account.ask();
        let reply = self.asked(asking, patience).await?;
        self.account.answer(reply.rcode, begun.elapsed());
        Ok(reply)
    }

    async fn asked(&self, asking: &Asking, patience: Duration) -> Result<Reply, ForwardFault> {
        if self.is_tcp_only {
            let response = self.over_tcp(asking).await.map_err(|fault| fault_of(&fault))?;
            return reply(response, asking);
        }
        let mut response = self.over_udp(asking, patience, true).await;
        // A server that does not know EDNS says so, without OPT (RFC 6891 §7).
        if let Ok(received) = &response
            && matches!(rcode_of(received), Rcode::FORMERR | Rcode::NOTIMP)
            && received.edns.is_none()
        {
            response = self.over_udp(asking, patience, false).await;
        }
        let response = match response {
            Ok(received) if !received.truncation => received,
            // TC; or what came had our id and port but not our letters, or was no message: perhaps forged.
            // A connection cannot be forged so.
            Ok(_) | Err(NetError::QueryCaseMismatch | NetError::Proto(_)) => {
                self.over_tcp(asking).await.map_err(|fault| fault_of(&fault))?
            }
            Err(fault) => return Err(fault_of(&fault)),
        };
        reply(response, asking)
    }

    async fn over_udp(&self, asking: &Asking, patience: Duration, has_edns: bool) -> Result<DnsResponse, NetError> {
        let mut request = request(asking, has_edns, asking.randomises_case)?;
        request.options_mut().retry_interval = patience;
        let mut stream = UdpClientStream::builder(self.address, self.runtime.clone())
            .with_timeout(Some(bounds::RTO_MAX))
            .with_max_retries(bounds::FORWARD_TRIES)
            .with_retry_interval_floor(bounds::RTO_INITIAL.as_millis() as u64)
            .build();
        stream.send_message(request).first_answer().await
    }

    async fn over_tcp(&self, asking: &Asking) -> Result<DnsResponse, NetError> {
        let request = request(asking, true, false)?;
        let once = async {
            let (exchange, begun) = self.connected().await?;
            let is_reused = begun.is_some();
            match exchange.send(request.clone()).first_answer().await {
                // The upstream may close a connection at any time (RFC 7766 §6.2.3), which hickory also reports
                // as being busy: once more over a new one.
                Err(fault) if is_reused && !matches!(fault, NetError::Timeout) => {
                    self.abandon(begun).await;
                    let (exchange, _) = self.connected().await?;
                    exchange.send(request).first_answer().await
                }
                other => other,
            }
        };
        let response = timeout(bounds::RTO_MAX, once).await.unwrap_or(Err(NetError::Timeout));
        if response.is_err() {
            // A connection may be dead without a word, as behind a router that forgot it.
            self.connection.lock().await.take();
        }
        response
    }

    /// The connection that is there, with the moment when it was made, or a new one. Questions that come while
    /// one is being made wait for it.
    async fn connected(&self) -> Result<(DnsExchange<TokioRuntimeProvider>, Option<Moment>), NetError> {
        let mut connection = self.connection.lock().await;
        let now = Moment::now();
        if let Some(known) = connection.as_mut()
            && now.duration_since(known.last_used) < bounds::UPSTREAM_TCP_IDLE
            && known.uses < bounds::UPSTREAM_TCP_QUERIES
        {
            (known.last_used, known.uses) = (now, known.uses + 1);
            return Ok((known.exchange.clone(), Some(known.begun)));
        }
        *connection = None;
        let (limit, runtime) = (Some(bounds::FORWARD_EXCHANGES), self.runtime.clone());
        let exchange =
            TcpClientStream::exchange(self.address, None, bounds::UPSTREAM_TCP_CONNECT, limit, runtime).await?;
        *connection = Some(Connection { exchange: exchange.clone(), begun: now, last_used: now, uses: 1 });
        Ok((exchange, None))
    }

    /// Uses the connection made at `begun` no more. Questions under way on it still get their answers.
    async fn abandon(&self, begun: Option<Moment>) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().map(|known| known.begun) == begun {
            *connection = None;
        }
    }
}

fn request(asking: &Asking, has_edns: bool, randomises_case: bool) -> Result<DnsRequest, NetError> {
    let question = &asking.question;
    let name = rr::Name::from_bytes(question.name.wire()).map_err(|fault| NetError::Msg(fault.to_string()))?;
    let mut query = Query::query(name, rr::RecordType::from(question.rtype.0));
    query.set_query_class(DNSClass::from(question.class.0));
    let mut options = DnsRequestOptions::default();
    options.use_edns = has_edns;
    options.edns_payload_len = bounds::UPSTREAM_UDP_SIZE;
    options.edns_set_dnssec_ok = asking.dnssec_ok;
    options.recursion_desired = true;
    options.case_randomization = randomises_case;
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = asking.checking_disabled;
    Ok(request)
}

fn reply(response: DnsResponse, asking: &Asking) -> Result<Reply, ForwardFault> {
    let rcode = rcode_of(&response);
    let mut bytes = response.into_buffer();
    restore_question(&mut bytes, &asking.question)?;
    Ok(Reply { bytes, rcode })
}

fn rcode_of(response: &DnsResponse) -> Rcode {
    Rcode(u16::from(response.response_code))
}

fn fault_of(fault: &NetError) -> ForwardFault {
    match fault {
        NetError::Timeout => ForwardFault::Timeout,
        NetError::Busy => ForwardFault::Busy,
        NetError::Io(fault) if fault.kind() == io::ErrorKind::TimedOut => ForwardFault::Timeout,
        other => ForwardFault::Unusable(other.to_string()),
    }
}

/// Checks that the response repeats the question (over TCP nobody else does) and gives the question its own
/// letters back, which owners that point at it then show too.
fn restore_question(bytes: &mut [u8], question: &Question) -> Result<(), ForwardFault> {
    let mut asked = question.name.wire().to_vec();
    asked.extend_from_slice(&question.rtype.0.to_be_bytes());
    asked.extend_from_slice(&question.class.0.to_be_bytes());
    let names = question.name.wire().len();
    let repeated = bytes.get_mut(HEADER..HEADER + asked.len()).filter(|repeated| {
        // Type and class are numbers, not letters.
        repeated.eq_ignore_ascii_case(&asked) && repeated.get(names..) == asked.get(names..)
    });
    match repeated {
        Some(repeated) => repeated.copy_from_slice(&asked),
        None => return Err(ForwardFault::Unusable("it answers another question".to_owned())),
    }
    if bytes.get(4..6) == Some(&[0, 1]) {
        Ok(())
    } else {
        Err(ForwardFault::Unusable("it has not one question".to_owned()))
    }
}

const HEADER: usize = 12;
