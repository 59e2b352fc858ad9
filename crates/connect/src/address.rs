use std::net::IpAddr;

use entity_stream_auth::ADDRESS_SUBJECT;

/// The subject of a client without a credential: its address. An IPv6 client has the whole network of its address, 64 bits, so
/// this network is the subject.
pub(crate) fn address_subject(source_ip: &str) -> String {
    let address = match source_ip.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(IpAddr::V4(address)) => address.to_string(),
        // All clients whose address API Gateway does not tell share a quota.
        Err(_) => "unknown".to_owned(),
    };
    format!("{ADDRESS_SUBJECT}{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_subject() {
        for (address, subject) in [
            ("192.0.2.7", "address:192.0.2.7"),
            ("::ffff:192.0.2.7", "address:192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
            ("2001:DB8:1:2::1", "address:2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "address:2001:db8:1:3::/64"),
            ("", "address:unknown"),
            ("a#b", "address:unknown"),
        ] {
            assert_eq!(address_subject(address), subject);
        }
    }
}
