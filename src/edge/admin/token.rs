//! Who may do what at the admin address.
//!
//! Health, readiness and metrics are for everybody who reaches it. On loopback reading is open, and so is changing
//! unless a token is asked for. Where others can reach the address, reading and changing both take the token; without
//! one they are not there.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

use super::Fault;

/// The secret that lets somebody change things.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<[u8]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The fewest octets of a token: 128 bits of it in hexadecimal would be 32.
    pub const OCTETS_MIN: usize = 16;
    /// The most octets of a token.
    pub const OCTETS_MAX: usize = 512;

    /// The token that a file's text holds: visible ASCII, space around it left out; none if it is too short or long.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let token = text.trim_ascii();
        let is_sound = (Self::OCTETS_MIN..=Self::OCTETS_MAX).contains(&token.len());
        (is_sound && token.iter().all(u8::is_ascii_graphic)).then(|| Self(token.into()))
    }

    /// Whether `offered` is the token; as long as both are, it takes the same time whatever they hold.
    #[must_use]
    pub fn is(&self, offered: &[u8]) -> bool {
        let difference = self.0.iter().zip(offered).fold(0, |difference, (own, theirs)| difference | (own ^ theirs));
        self.0.len() == offered.len() && std::hint::black_box(difference) == 0
    }
}

/// Lets a request pass that has the token.
pub(super) async fn ask(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let offered = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = offered.and_then(|value| {
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
    });
    if bearer.is_some_and(|offered| token.is(offered)) {
        return next.run(request).await;
    }
    let refused = Fault(StatusCode::UNAUTHORIZED, "this takes the token: Authorization: Bearer …".into());
    ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::parse(b" 0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b"0123456789abcdeg"[..], b"0123456789abcde", b"0123456789abcdef0", b""] {
            assert!(!token.is(other));
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn short_long_and_broken_tokens_are_none() {
        assert_eq!(Token::parse(b"short"), None);
        assert_eq!(Token::parse("0123456789abcdefü".as_bytes()), None);
        assert_eq!(Token::parse(b"0123456789abcdef two words"), None);
        assert_eq!(Token::parse(&[b'x'; 513]), None);
    }
}
