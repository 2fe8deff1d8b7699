//! What stands in a batch: queries, who sent them, and room for their answers.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Batch;
use crate::base::bounds::UDP_QUERY_MAX;

impl Batch {
    /// Datagrams in the batch.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The octets of datagram `index`; none past [`Batch::count`].
    #[must_use]
    pub fn bytes(&self, index: usize) -> &[u8] {
        let length = if index < self.count { self.lengths.get(index).copied().unwrap_or(0) } else { 0 };
        let start = index.saturating_mul(UDP_QUERY_MAX);
        self.queries.get(start..start.saturating_add(length)).unwrap_or(&[])
    }

    /// Who sent datagram `index`; port 0 of no address past [`Batch::count`].
    #[must_use]
    pub fn peer(&self, index: usize) -> SocketAddr {
        self.peers.get(index).copied().unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }

    /// The address that datagram `index` was sent to, where it is known.
    #[must_use]
    pub fn local(&self, index: usize) -> Option<IpAddr> {
        self.locals.get(index).copied().flatten()
    }

    /// The octets of datagram `index` and the buffer for its answer, which [`Batch::send`] sends unless it is empty.
    pub fn exchange(&mut self, index: usize) -> Option<(&[u8], &mut Vec<u8>)> {
        let length = if index < self.count { *self.lengths.get(index)? } else { return None };
        let start = index * UDP_QUERY_MAX;
        Some((self.queries.get(start..start + length)?, self.replies.get_mut(index)?))
    }

    /// The buffer for the answer to datagram `index`, alone.
    pub fn reply(&mut self, index: usize) -> Option<&mut Vec<u8>> {
        self.exchange(index).map(|(_, reply)| reply)
    }
}
