//! Protects an address on loopback against foreign web pages, which the browser of whoever sits there lets ask it.
//!
//! A page cannot read what it gets from another origin, but it can have things asked. And it can give its own name the
//! address 127.0.0.1 (DNS rebinding); then it is no foreign one to the browser. So a request must name us as only
//! somebody who means us does, by an address or as localhost, and browsers' word that a foreign page asks is believed.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

use super::Fault;

/// Lets a request pass that no foreign page can have sent.
pub(super) async fn refuse_foreigners(request: Request, next: Next) -> Response {
    if !names_us(&request) {
        let text = "the request must name this server by its address or as localhost (Host)";
        return Fault(StatusCode::MISDIRECTED_REQUEST, text.into()).into_response();
    }
    // Whoever only links to the page, or to what a monitor reads, may.
    if request.uri().path().starts_with("/v1/") && is_foreign(request.headers()) {
        let text = "a web page of another origin may not ask this";
        return Fault(StatusCode::FORBIDDEN, text.into()).into_response();
    }
    next.run(request).await
}

/// Whether every name that the request has for us is one of ours. Without any, no browser sent it.
fn names_us(request: &Request) -> bool {
    let in_line = request.uri().authority().map(|authority| is_ours(authority.as_str()));
    let in_headers = request.headers().get_all(header::HOST).iter().map(|host| host.to_str().is_ok_and(is_ours));
    in_headers.chain(in_line).all(|is_ours| is_ours)
}

fn is_ours(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost")
}

/// Whether a browser says that a page of another origin asks (Fetch Metadata, RFC 6454).
fn is_foreign(headers: &HeaderMap) -> bool {
    let is_of_another_site = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let is_of_another_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        let host = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
        origin.as_bytes().strip_prefix(b"http://") != Some(host)
    });
    is_of_another_site || is_of_another_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&str, &str)]) -> axum::http::Request<axum::body::Body> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.uri("/v1/status").body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn an_address_and_localhost_name_us_and_a_name_that_was_bound_to_us_does_not() {
        for host in ["127.0.0.1", "127.0.0.1:9153", "[::1]:9153", "localhost:80", "LocalHost", "192.0.2.1"] {
            assert!(names_us(&asked(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:9153", "127.0.0.1.evil.example", "user@evil.example", ""] {
            assert!(!names_us(&asked(&[("host", host)])), "{host}");
        }
        assert!(names_us(&asked(&[])), "no browser leaves it out");
        assert!(!names_us(&asked(&[("host", "localhost"), ("host", "evil.example")])));
    }

    #[test]
    fn what_a_browser_says_of_foreign_pages_is_believed() {
        let is_foreign =
            |headers: &[(&str, &str)]| is_foreign(asked(&[headers, &[("host", "127.0.0.1:9153")]].concat()).headers());
        assert!(!is_foreign(&[]));
        for site in ["same-origin", "none"] {
            assert!(!is_foreign(&[("sec-fetch-site", site)]), "{site}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(is_foreign(&[("sec-fetch-site", site)]), "{site}");
        }
        assert!(!is_foreign(&[("origin", "http://127.0.0.1:9153")]));
        for origin in ["null", "http://evil.example", "http://127.0.0.1:3000", "https://127.0.0.1:9153"] {
            assert!(is_foreign(&[("origin", origin)]), "{origin}");
        }
    }
}
