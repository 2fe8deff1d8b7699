//! The status page: one document with its style, its script and the outlines of the world within, and nothing outside.
//!
//! It holds no figure; its script asks `/v1/…` for them. The policy that goes with it lets the browser run these very
//! two texts and ask this very server, nothing else (Content Security Policy Level 3).

use std::sync::LazyLock;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

const FRAME: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");
const WORLD: &str = include_str!("page/world.json");
/// One script out of short files, closed off from whatever else a browser puts into the page.
const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("page/elements.js"),
    include_str!("page/server.js"),
    include_str!("page/charts.js"),
    include_str!("page/figures.js"),
    include_str!("page/map.js"),
    include_str!("page/pools.js"),
    include_str!("page/explain.js"),
    include_str!("page/log.js"),
    include_str!("page/main.js"),
    "})();\n"
);

struct Page {
    text: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let text = FRAME.replace("/*STYLE*/", STYLE).replace("/*WORLD*/", WORLD).replace("/*SCRIPT*/", SCRIPT);
    let policy = format!(
        "default-src 'none'; connect-src 'self'; img-src data:; style-src {}; script-src {}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    Page { text, policy }
});

/// A text as the policy names it: by its digest.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// The page.
pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE.policy.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (StatusCode::OK, headers, PAGE.text.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_asks_nobody_else() {
        for mark in ["/*STYLE*/", "/*WORLD*/", "/*SCRIPT*/"] {
            assert_eq!(FRAME.matches(mark).count(), 1, "{mark}");
            assert!(!PAGE.text.contains(mark), "{mark}");
        }
        // Its style and script end where they should, and stand there as the policy has seen them.
        assert_eq!(PAGE.text.matches("</script").count(), 2);
        assert_eq!(PAGE.text.matches("</style").count(), 1);
        assert!(PAGE.text.contains(&format!("<style>{STYLE}</style>")));
        assert!(PAGE.text.contains(&format!("<script>{SCRIPT}</script>")));
        for outside in ["src=", "<link rel=\"stylesheet", "@import", "url(http", "eval(", "innerHTML", " style=\""] {
            assert!(!PAGE.text.contains(outside), "{outside}");
        }
    }
}
