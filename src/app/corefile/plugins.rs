//! Which plugin means what.

use super::blocks::Server;
use super::draft::Draft;
use super::reading::Line;
use super::{cluster, forwarding, naming, templates, upkeep};
use crate::dns::Name;

/// What a plugin is read with: its line, its server, and the zones of other servers inside the server's.
pub(super) struct Plugin<'p> {
    /// The line.
    pub line: &'p Line,
    /// The server.
    pub server: &'p Server,
    /// Names in these are another server's.
    pub inner: &'p [Name],
}

impl Plugin<'_> {
    /// Notes that the configuration does not do something that the plugin says.
    pub(super) fn lost(&self, draft: &mut Draft, why: impl Into<String>) {
        draft.lost(&self.line.spot, self.line.name(), why);
    }

    /// Notes that something is done by itself, or otherwise.
    pub(super) fn otherwise(&self, draft: &mut Draft, why: impl Into<String>) {
        draft.otherwise(&self.line.spot, self.line.name(), why);
    }

    /// Notes that an option of the plugin is not done.
    pub(super) fn lost_option(&self, draft: &mut Draft, option: &Line, why: &str) {
        let shown = option.words.join(" ");
        draft.lost(&option.spot, self.line.name(), format!("`{shown}`: {why}"));
    }

    /// Notes that an option of the plugin is done by itself, or otherwise.
    pub(super) fn option_otherwise(&self, draft: &mut Draft, option: &Line, why: &str) {
        let shown = option.words.join(" ");
        draft.otherwise(&option.spot, self.line.name(), format!("`{shown}`: {why}"));
    }

    /// Notes an option that no version of the plugin has.
    pub(super) fn unknown_option(&self, draft: &mut Draft, option: &Line) {
        self.lost_option(draft, option, "not known");
    }
}

/// Adds the cluster of a server, which other plugins lean on wherever they stand.
pub(super) fn add_cluster(server: &Server, inner: &[Name], draft: &mut Draft) {
    for line in server.all("kubernetes") {
        cluster::kubernetes(&Plugin { line, server, inner }, draft);
    }
}

/// Adds what the other plugins of a server mean.
pub(super) fn add(server: &Server, inner: &[Name], draft: &mut Draft) {
    for line in &server.plugins {
        let plugin = Plugin { line, server, inner };
        match line.name() {
            "k8s_external" => cluster::external(&plugin, draft),
            "autopath" => cluster::autopath(&plugin, draft),
            "forward" => forwarding::forward(&plugin, draft),
            "cache" => forwarding::cache(&plugin, draft),
            "loop" => forwarding::looping(&plugin, draft),
            "hosts" => naming::hosts(&plugin, draft),
            "rewrite" => naming::rewrite(&plugin, draft),
            "file" => naming::file(&plugin, draft),
            "template" => templates::template(&plugin, draft),
            "errors" => upkeep::errors(&plugin, draft),
            "log" => upkeep::log(&plugin, draft),
            "debug" => upkeep::debug(&plugin, draft),
            "health" => upkeep::health(&plugin, draft),
            "ready" => upkeep::ready(&plugin, draft),
            "prometheus" => upkeep::prometheus(&plugin, draft),
            "reload" => upkeep::reload(&plugin, draft),
            "loadbalance" => upkeep::loadbalance(&plugin, draft),
            "bind" => upkeep::bind(&plugin, draft),
            "chaos" => upkeep::chaos(&plugin, draft),
            "nsid" => upkeep::nsid(&plugin, draft),
            "bufsize" => upkeep::bufsize(&plugin, draft),
            // Read before, and said with the files that count from it.
            "kubernetes" | "root" => {}
            "any" => plugin.otherwise(draft, "ANY is answered by a HINFO record by itself (RFC 8482)"),
            "local" => plugin.otherwise(draft, "localhost and its reverse names are answered by itself"),
            "metadata" | "cancel" | "multisocket" | "timeouts" => {
                plugin.otherwise(
                    draft,
                    "there is nothing to set: workers, deadlines and sockets are bounded by themselves",
                );
            }
            "acl" | "view" | "tsig" | "dnssec" | "sign" | "tls" => {
                plugin.lost(draft, "nothing is put in its place; see to it before this server takes over");
            }
            _ => plugin.lost(draft, "there is nothing for this plugin"),
        }
    }
    // What is done for all servers is not done for one alone.
    for (name, what) in [("log", "queries are logged"), ("loadbalance", "addresses are rotated")] {
        let is_done = if name == "log" { draft.log.contains_key("queries") } else { draft.rotates };
        if is_done && server.all(name).next().is_none() {
            draft.otherwise(&server.spot, name, format!("{what} for the names of this server too"));
        }
    }
}
