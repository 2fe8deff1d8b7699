//! The file of clients: an address or a prefix a line, perhaps with a weight; `#` begins a comment.

use std::net::IpAddr;
use std::path::Path;

use crate::base::{Network, bounds};
use crate::edge::files::read_octets;
use crate::steer::simulation::Client;

/// What is wrong, a line each.
pub(super) type Faults = Vec<String>;

/// Faults that are told of a file.
const FAULTS_MAX: usize = 20;

/// Reads `file`.
///
/// # Errors
/// What is wrong, with the numbers of its lines.
pub(super) fn read(file: &Path) -> Result<Vec<Client>, Faults> {
    let shown = file.display();
    let (octets, _) = read_octets(file, bounds::TEXT_FILE_MAX).map_err(|fault| vec![format!("{shown}: {fault}")])?;
    parse(&String::from_utf8_lossy(&octets)).map_err(|faults| {
        let mut lines: Faults =
            faults.iter().take(FAULTS_MAX).map(|(line, why)| format!("{shown}:{line}: {why}")).collect();
        if faults.len() > FAULTS_MAX {
            lines.push(format!("{shown}: and {} faults more", faults.len() - FAULTS_MAX));
        }
        lines
    })
}

fn parse(text: &str) -> Result<Vec<Client>, Vec<(usize, String)>> {
    let (mut clients, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(network) = words.next() else { continue };
        match client(network, words.next(), words.next()) {
            Ok(_) if clients.len() >= bounds::SIMULATED_CLIENTS => {
                faults.push((number, format!("found more than {} clients", bounds::SIMULATED_CLIENTS)));
                break;
            }
            Ok(client) => clients.push(client),
            Err(why) => faults.push((number, why)),
        }
    }
    if faults.is_empty() && !clients.iter().any(|client: &Client| client.weight > 0.0) {
        faults.push((1, "found no client with a weight".to_owned()));
    }
    if faults.is_empty() { Ok(clients) } else { Err(faults) }
}

fn client(network: &str, weight: Option<&str>, more: Option<&str>) -> Result<Client, String> {
    if let Some(more) = more {
        return Err(format!("found {more:?} behind the weight, allowed: nothing"));
    }
    let wanted = "an address or a prefix, such as 192.0.2.7 or 2001:db8::/48";
    let parsed: Network = match network.parse::<IpAddr>() {
        Ok(address) => Network::new(address, if address.is_ipv4() { 32 } else { 128 }),
        Err(_) => network.parse().map_err(|_| format!("found {network:?}, allowed: {wanted}"))?,
    };
    let weight = match weight {
        None => 1.0,
        Some(text) => {
            let weight = text.parse().ok().filter(|weight: &f64| (0.0..=1e15).contains(weight));
            weight.ok_or_else(|| format!("found the weight {text:?}, allowed: a number from 0 to 1e15"))?
        }
    };
    Ok(Client { network: parsed, weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_prefixes_weights_and_comments_are_read() {
        let clients = parse("# resolvers\n192.0.2.7 3.5\n2001:db8::/48\n\n198.51.100.0/24 2 # office\n").unwrap();
        let shown: Vec<(String, f64)> = clients.iter().map(|it| (it.network.to_string(), it.weight)).collect();
        let expected = [("192.0.2.7/32", 3.5), ("2001:db8::/48", 1.0), ("198.51.100.0/24", 2.0)];
        assert_eq!(shown, expected.map(|(network, weight)| (network.to_owned(), weight)));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let faults =
            parse("192.0.2.7\nx\n192.0.2.0/24 -1\n192.0.2.0/24 NaN\n192.0.2.1/24\n192.0.2.1 2 3\n").unwrap_err();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert!(parse("# nobody\n").is_err() && parse("192.0.2.7 0\n").is_err());
    }
}
