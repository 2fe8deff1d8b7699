//! Runs a test inside a network namespace of its own, or says why it cannot.
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set for the inner run, so that the test knows it has arrived.
const INSIDE: &str = "MERIDIAN_TEST_INSIDE";

/// The tree's servers on BIND, which listens only at addresses that an interface has. The others need no list:
/// the whole of 198.18.0.0/15 is local.
const IPV4: &[&str] = &["198.18.1.3", "198.18.2.3"];
/// The addresses of the tree's IPv6 servers.
const IPV6: &[&str] = &["2001:db8::2", "2001:db8:1::2", "2001:db8:2::1", "2001:db8:2::2"];

/// Runs `body` in a fresh network and PID namespace by starting this test binary again for the one test `name`.
///
/// Where namespaces or one of `programs` are missing, the test is skipped: it says so and passes.
pub fn inside(name: &str, programs: &[&str], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        set_up_loopback();
        return body();
    }
    let mut command = match own(programs) {
        Ok(command) => command,
        Err(why) => return skip(name, &why),
    };
    let status = command
        .arg(std::env::current_exe().expect("this binary has a path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("unshare starts");
    assert!(status.success(), "{name} failed inside its namespace; its own report stands above");
}

/// A command that runs what its further arguments say in a fresh namespace, or why there is none. What runs there
/// calls [`set_up_loopback`] first.
pub fn own(programs: &[&str]) -> Result<Command, String> {
    if let Some(missing) = programs.iter().chain(&["ip", "unshare", "setpriv"]).find(|p| find(p).is_none()) {
        return Err(format!("{missing} is not installed (tests/install-peers.sh as root installs it)"));
    }
    namespaces_work()?;
    Ok(enter())
}

/// Says that the test `name` was skipped and why: on standard error, past the harness's capture, and as a line
/// of the file that `MERIDIAN_SKIPPED` names.
pub fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED: {name}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    if let Some(path) = std::env::var_os("MERIDIAN_SKIPPED")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        file.write_all(line.as_bytes()).ok();
    }
}

/// Writes a line of a test's report, past the harness's capture.
pub fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}

/// The path of an installed program; system directories are searched even when PATH leaves them out.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"])
        .map(|directory| Path::new(directory).join(program))
        .find(|candidate| candidate.is_file())
}

/// `setpriv` ends the namespace with the test that made it, `--kill-child` ends all servers with the namespace.
fn enter() -> Command {
    let mut command = Command::new(find("setpriv").expect("looked for before"));
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command
}

fn namespaces_work() -> Result<(), String> {
    let output = enter().arg("ip").args(["link", "set", "lo", "up"]).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("no network namespaces here ({})", text.trim().replace('\n', "; ")))
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uid.split_whitespace().nth(1) == Some("0")
}

/// Gives a fresh namespace the addresses of the tree.
pub fn set_up_loopback() {
    ip(&["link", "set", "lo", "up"]);
    ip(&["address", "add", "198.18.0.1/15", "dev", "lo"]);
    for address in IPV4 {
        ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    for address in IPV6 {
        ip(&["-6", "address", "add", &format!("{address}/128"), "dev", "lo", "nodad"]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new(find("ip").expect("looked for before")).args(arguments).output().expect("ip starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {}: {text}", arguments.join(" "));
}
