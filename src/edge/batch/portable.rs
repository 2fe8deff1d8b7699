//! Batches where the system has no calls for them: one datagram after the other.
#![forbid(unsafe_code)]

use std::io;

use super::super::listen::Listener;
use super::{Batch, Sent, await_room, is_passing};
use crate::base::bounds::{SEND_RETRIES, UDP_QUERY_MAX};

impl Batch {
    pub(super) fn receive_one_by_one(&mut self, listener: &Listener) -> io::Result<usize> {
        let rooms = self.queries.chunks_exact_mut(UDP_QUERY_MAX);
        let places = rooms.zip(&mut self.lengths).zip(&mut self.peers).zip(&mut self.locals);
        for (((room, length), peer), local) in places {
            match listener.socket.recv_from(room) {
                Ok((received, from)) => {
                    *length = received;
                    *peer = from;
                    *local = (!listener.is_wildcard).then(|| listener.address.ip());
                    self.count += 1;
                }
                Err(fault) if self.count == 0 => return Err(fault),
                Err(_) => break,
            }
        }
        Ok(self.count)
    }

    pub(super) fn send_one_by_one(&self, listener: &Listener) -> Sent {
        let mut outcome = Sent::default();
        for (reply, peer) in
            self.replies.iter().zip(&self.peers).take(self.count).filter(|(reply, _)| !reply.is_empty())
        {
            let mut tries = SEND_RETRIES;
            loop {
                match super::send_to(listener, reply, *peer, None) {
                    Ok(()) => outcome.sent += 1,
                    Err(fault) if is_passing(&fault) && tries > 0 => {
                        tries -= 1;
                        await_room(listener);
                        continue;
                    }
                    Err(_) => outcome.unsent += 1,
                }
                break;
            }
        }
        outcome
    }
}
