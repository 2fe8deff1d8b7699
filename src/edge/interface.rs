//! An interface of our own for addresses that nothing else on the machine has, as a node's cache in a cluster needs.
//!
//! To be called before any thread is started, while there is still the right to (`CAP_NET_ADMIN`). What is there is
//! left as it is, and it stays when we end: queries that come meanwhile are refused at once and go nowhere else.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub use self::linux::furnish;

/// Says that it cannot be done here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn furnish(name: &str, _: &[std::net::IpAddr]) -> Result<(), String> {
    Err(format!("interface {name}: only Linux is told how to make one"))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};

    use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
    use rtnetlink::{Handle, LinkDummy, LinkUnspec};
    use rustix::net::netdevice::name_to_index;

    /// Sees to it that there is an interface of this name, that it is up and has `addresses`.
    ///
    /// # Errors
    /// In words, where the system refuses any of it.
    pub fn furnish(name: &str, addresses: &[IpAddr]) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|fault| format!("interface {name}: {fault}"))?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().map_err(|fault| format!("netlink: {fault}"))?;
            let connection = tokio::spawn(connection);
            let furnished = furnish_by(&handle, name, addresses).await;
            connection.abort();
            furnished
        })
    }

    async fn furnish_by(handle: &Handle, name: &str, addresses: &[IpAddr]) -> Result<(), String> {
        if index_of(name).is_err() {
            let made = handle.link().add(LinkDummy::new(name).build()).execute().await;
            made.map_err(|fault| format!("interface {name} cannot be made: {fault}"))?;
        }
        let index = index_of(name).map_err(|fault| format!("interface {name}: {fault}"))?;
        let up = handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await;
        up.map_err(|fault| format!("interface {name} cannot be brought up: {fault}"))?;
        for &address in addresses {
            let length = if address.is_ipv4() { 32 } else { 128 };
            let mut adding = handle.address().add(index, address, length).replace();
            if address.is_ipv6() {
                // Nobody else can have it: there is nobody on this interface to ask.
                let flags = AddressAttribute::Flags(AddressFlags::Nodad);
                adding.message_mut().attributes.push(flags);
            }
            let added = adding.execute().await;
            added.map_err(|fault| format!("interface {name} cannot have {address}: {fault}"))?;
        }
        Ok(())
    }

    fn index_of(name: &str) -> io::Result<u32> {
        // Any socket will do to ask by.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(name_to_index(&socket, name)?)
    }
}
