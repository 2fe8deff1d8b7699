//! Probes against real servers, well and ill.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::dns::{Message, Rcode, RecordType};
use crate::steer::health::HttpProbe;

const WITHIN: Duration = Duration::from_secs(20);
/// For targets that never answer.
const SOON: Duration = Duration::from_millis(300);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn subject() -> Subject {
    Subject { target: Target::Address(LOOPBACK), pool: "www".into(), member: "fra".into() }
}

fn prober() -> Prober {
    Prober::new(Dice::from_number(1))
}

async fn seen(probe: Probe, within: Duration) -> Finding {
    prober().probe(&probe, &subject(), within).await
}

/// A server that reads a request's head, says `words` to each and then `hangs` or closes.
async fn says(words: Vec<u8>, hangs: bool) -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let words = words.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _read = stream.read(&mut head).await;
                stream.write_all(&words).await.ok();
                if hangs {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    port
}

fn http(port: u16) -> HttpProbe {
    HttpProbe {
        is_tls: false,
        verifies: true,
        roots: None,
        port,
        method: "GET",
        path: "/healthz".into(),
        host: None,
        statuses: vec![(200, 299)],
        body: None,
    }
}

#[tokio::test]
async fn an_http_status_is_good_or_bad_and_no_redirect_is_followed() {
    let elsewhere = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), false).await;
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n");
    for (words, is_good, why) in [
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), true, "status 204"),
        ("HTTP/1.0 200 OK\r\n\r\nold".to_owned(), true, "status 200"),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(), false, "status 503"),
        (moved, false, "status 302"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), false, "HTTP: "),
        (String::new(), false, "HTTP: "),
    ] {
        let port = says(words.into_bytes(), false).await;
        let finding = seen(Probe::Http(http(port)), WITHIN).await;
        assert_eq!(finding.is_good(), Some(is_good), "{finding:?}");
        assert!(finding.why().starts_with(why), "{finding:?}");
    }
}

#[tokio::test]
async fn a_request_names_its_host_and_path() {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(head[..length].to_vec()).unwrap()
    });
    let probe = HttpProbe { method: "HEAD", host: Some("www.example".into()), ..http(port) };
    assert_eq!(seen(Probe::Http(probe), WITHIN).await.is_good(), Some(true));
    let head = heard.await.unwrap().to_lowercase();
    assert!(head.starts_with("head /healthz http/1.1\r\n") && head.contains("\r\nhost: www.example\r\n"), "{head}");
}

#[tokio::test]
async fn a_body_is_searched_within_its_bound_and_a_slow_or_endless_one_ends_with_the_deadline() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n";
    let with_body = |body: &str| format!("{head}{body}").into_bytes();
    let probe = |port| Probe::Http(HttpProbe { body: Some("all is well".into()), ..http(port) });
    let found = says(with_body("yes, all is well here"), true).await;
    assert_eq!(seen(probe(found), WITHIN).await.is_good(), Some(true), "read no further than needed");
    let lacking = says(with_body("nothing to see"), true).await;
    assert_eq!(seen(probe(lacking), SOON).await, Finding::Bad(format!("not done within {SOON:?}")));
    let beyond = with_body(&(" ".repeat(bounds::CHECK_BODY_MAX) + "all is well"));
    let giant = says(beyond, true).await;
    let finding = seen(probe(giant), WITHIN).await;
    assert_eq!(finding, Finding::Bad("status 200, but the body lacks the expected text".into()));
    let huge_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert_eq!(seen(Probe::Http(http(says(huge_head.into_bytes(), true).await)), WITHIN).await.is_good(), Some(false));
}

#[tokio::test]
async fn a_target_that_hangs_or_refuses_is_bad() {
    let deaf = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    assert_eq!(seen(Probe::Http(http(port)), SOON).await.is_good(), Some(false));
    drop(deaf);
    let finding = seen(Probe::Http(http(port)), WITHIN).await;
    assert!(finding.is_good() == Some(false) && finding.why().starts_with("no connection"), "{finding:?}");
}

/// Who signs the certificates of a test, and its certificate as a file of roots.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    roots: PathBuf,
    _folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, issuer.pem()).unwrap();
        Self { issuer, roots, _folder: folder }
    }

    /// An HTTPS server with a certificate for `name`, good up to the year `until`.
    async fn serves(&self, name: &str, until: i32, is_self_signed: bool) -> u16 {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = if is_self_signed {
            params.self_signed(&key).unwrap()
        } else {
            params.signed_by(&key, &self.issuer).unwrap()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut head = [0; 4096];
                    let _read = stream.read(&mut head).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.ok();
                    stream.flush().await.ok();
                }
            }
        });
        port
    }

    fn probe(&self, port: u16) -> HttpProbe {
        let host = Some("www.example".into());
        HttpProbe { is_tls: true, roots: Some(self.roots.clone()), host, ..http(port) }
    }
}

#[tokio::test]
async fn a_certificate_must_be_in_date_for_the_name_and_of_a_trusted_authority() {
    let authority = Authority::new();
    let good = authority.serves("www.example", 2099, false).await;
    let finding = seen(Probe::Http(authority.probe(good)), WITHIN).await;
    assert_eq!(finding, Finding::Good("status 200".into()));
    let strangers = Probe::Http(HttpProbe { roots: None, ..authority.probe(good) });
    assert!(seen(strangers, WITHIN).await.why().contains("UnknownIssuer"));
    for (name, until, is_self_signed, why) in [
        ("www.example", 2021, false, "expired"),
        ("other.example", 2099, false, "not valid for name"),
        ("www.example", 2099, true, "UnknownIssuer"),
    ] {
        let port = authority.serves(name, until, is_self_signed).await;
        let finding = seen(Probe::Http(authority.probe(port)), WITHIN).await;
        assert!(finding.is_good() == Some(false) && finding.why().contains(why), "{why}: {finding:?}");
        let careless = Probe::Http(HttpProbe { verifies: false, ..authority.probe(port) });
        assert_eq!(seen(careless, WITHIN).await.is_good(), Some(true), "{why}, but `verify: false`");
    }
}

#[tokio::test]
async fn a_handshake_may_be_all_that_is_asked() {
    let authority = Authority::new();
    let by_address = authority.serves("127.0.0.1", 2099, false).await;
    let probe = |port| Probe::Tls { port, server_name: None, verifies: true, roots: Some(authority.roots.clone()) };
    assert_eq!(seen(probe(by_address), WITHIN).await.is_good(), Some(true));
    let other = authority.serves("127.0.0.2", 2099, false).await;
    assert_eq!(seen(probe(other), WITHIN).await.is_good(), Some(false));
    let plain = says(b"220 mail.example ESMTP\r\n".to_vec(), false).await;
    assert_eq!(seen(probe(plain), WITHIN).await.is_good(), Some(false));
    let missing = Probe::Tls { port: other, server_name: None, verifies: true, roots: Some("/nonexistent.pem".into()) };
    assert_eq!(seen(missing, WITHIN).await.is_good(), None, "our own trouble");
}

#[tokio::test]
async fn a_tcp_target_says_what_is_expected() {
    let port = says(b"+PONG\r\n".to_vec(), true).await;
    let probe = |expect: &str| Probe::Tcp { port, send: Some("PING\r\n".into()), expect: Some(expect.into()) };
    assert_eq!(seen(probe("+PONG"), WITHIN).await.is_good(), Some(true));
    assert_eq!(seen(probe("-ERR"), WITHIN).await, Finding::Bad("said \"+PON\"".into()));
    assert_eq!(seen(probe("+PONG\r\nmore"), SOON).await.is_good(), Some(false));
    assert_eq!(seen(Probe::Tcp { port, send: None, expect: None }, WITHIN).await.is_good(), Some(true));
}

#[tokio::test]
async fn a_name_server_answers_with_the_expected_rcode() {
    let udp = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let port = udp.local_addr().unwrap().port();
    let tcp = TcpListener::bind((LOOPBACK, port)).await.unwrap();
    let respond = |query: &[u8]| {
        let mut message = Message::parse(query).unwrap();
        message.flags.response = true;
        message.rcode = Rcode::REFUSED;
        let mut bytes = Vec::new();
        message.compose(&mut bytes, 512).unwrap();
        bytes
    };
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let mut forged = respond(&buffer[..length]);
            forged[0] ^= 1;
            udp.send_to(&forged, from).await.ok();
            udp.send_to(&respond(&buffer[..length]), from).await.ok();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let response = respond(&query);
            stream.write_u16(response.len() as u16).await.unwrap();
            stream.write_all(&response).await.unwrap();
        }
    });
    for is_tcp in [false, true] {
        let probe =
            |rcode| Probe::Dns { port, name: "www.example.".parse().unwrap(), rtype: RecordType::A, rcode, is_tcp };
        assert_eq!(seen(probe(Rcode::REFUSED), WITHIN).await.is_good(), Some(true));
        assert_eq!(seen(probe(Rcode::NOERROR), WITHIN).await, Finding::Bad("REFUSED".into()));
    }
    let closed = Probe::Dns {
        port: says(Vec::new(), false).await,
        name: "www.example.".parse().unwrap(),
        rtype: RecordType::A,
        rcode: Rcode::NOERROR,
        is_tcp: false,
    };
    assert_eq!(seen(closed, WITHIN).await.is_good(), Some(false), "the port is not open for UDP");
}

#[tokio::test]
async fn loopback_echoes_where_the_system_permits_it() {
    let finding = seen(Probe::Icmp, WITHIN).await;
    assert_ne!(finding.is_good(), Some(false), "{finding:?}");
    if finding.is_good().is_none() {
        assert!(finding.why().contains("permits no ICMP"), "{finding:?}");
    }
}

fn command(script: &str, arguments: &[&str]) -> Probe {
    let arguments = ["-c", script, "probe"].iter().chain(arguments).map(|&text| text.into()).collect();
    Probe::Command { program: "/bin/sh".into(), arguments }
}

#[tokio::test]
async fn a_program_is_good_if_its_exit_status_is_0() {
    let told = command("echo $1; test $2 = 127.0.0.1", &["{pool}/{member}", "{address}"]);
    assert_eq!(seen(told, WITHIN).await, Finding::Good("exit status 0 www/fra".into()));
    assert_eq!(seen(command("exit 3", &[]), WITHIN).await.is_good(), Some(false));
    let chatty = command("head -c 1000000 /dev/zero; exit 0", &[]);
    assert_eq!(seen(chatty, WITHIN).await.is_good(), Some(true), "a full pipe does not stop it");
    let missing = Probe::Command { program: "/nonexistent/program".into(), arguments: Vec::new() };
    assert_eq!(seen(missing, WITHIN).await.is_good(), None);
}

#[tokio::test]
async fn a_late_program_ends_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let script = "sleep 1000 & echo $! > $1.new; mv $1.new $1; wait";
    let late = command(script, &[file.to_str().unwrap()]);
    let probing = tokio::spawn(async move { seen(late, Duration::from_secs(1)).await });
    assert_eq!(probing.await.unwrap().is_good(), Some(false));
    let id = std::fs::read_to_string(&file).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", id.trim()));
    let is_running = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while is_running() {
        tokio::task::yield_now().await; // until the system has taken it away
    }
}

#[tokio::test]
async fn a_file_tells_of_the_members_that_it_names_while_it_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("states");
    let prober = prober();
    let probe = |age| Probe::File { path: path.clone(), age_max: Duration::from_secs(age) };
    assert_eq!(prober.probe(&probe(60), &subject(), WITHIN).await.is_good(), None, "no file");
    for (text, is_good) in [("fra up\n", Some(true)), ("fra up\nwww/fra down\n", Some(false)), ("iad up\n", None)] {
        std::fs::write(folder.path().join("aside"), text).unwrap();
        std::fs::rename(folder.path().join("aside"), &path).unwrap();
        assert_eq!(prober.probe(&probe(60), &subject(), WITHIN).await.is_good(), is_good, "{text}");
    }
    std::fs::write(&path, "fra up\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - Duration::from_secs(100)).unwrap();
    assert_eq!(prober.probe(&probe(60), &subject(), WITHIN).await.is_good(), None, "too old");
}

#[tokio::test]
async fn a_host_is_reached_by_its_name_and_one_that_is_not_resolved_tells_nothing() {
    let port = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), false).await;
    let at = |host: &str| Subject { target: Target::Host(host.into()), ..subject() };
    let good = prober().probe(&Probe::Http(http(port)), &at("localhost"), WITHIN).await;
    assert_eq!(good.is_good(), Some(true), "{good:?}");
    let nowhere = prober().probe(&Probe::Http(http(port)), &at("nowhere.invalid"), WITHIN).await;
    assert_ne!(nowhere.is_good(), Some(true));
}

#[test]
fn what_strangers_say_is_cut_to_one_short_line() {
    assert_eq!(line("two\nlines\u{7}"), "two lines");
    assert!(line(&"ä".repeat(1_000)).len() <= bounds::CHECK_WHY_MAX);
}
