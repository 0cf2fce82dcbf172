//! The address of a node.

use std::{fmt, str::FromStr};

/// `https://host:port`, and nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointUrl {
    text: String,
    /// Where the host ends in `text`.
    host_end: usize,
    port: u16,
}

/// Not an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an endpoint: expected https://host:port such as https://node.example:7443")]
pub struct MalformedEndpoint;

const SCHEME: &str = "https://";

impl EndpointUrl {
    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        let host = self
            .text
            .get(SCHEME.len()..self.host_end)
            .unwrap_or_default();
        host.strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// Port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for EndpointUrl {
    type Err = MalformedEndpoint;

    fn from_str(text: &str) -> Result<Self, MalformedEndpoint> {
        let authority = text.strip_prefix(SCHEME).ok_or(MalformedEndpoint)?;
        let (host, port) = authority.rsplit_once(':').ok_or(MalformedEndpoint)?;
        let canonical_port = port
            .parse::<u16>()
            .ok()
            .filter(|n| *n > 0 && n.to_string() == port)
            .ok_or(MalformedEndpoint)?;
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let sound = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
                (1..=253).contains(&host.len()) && host.bytes().all(legal)
            }
        };
        if !sound {
            return Err(MalformedEndpoint);
        }
        Ok(Self {
            text: text.to_owned(),
            host_end: SCHEME.len() + host.len(),
            port: canonical_port,
        })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_and_nothing_else() {
        let parts = |text: &str| {
            text.parse::<EndpointUrl>()
                .map(|e| (e.host().to_owned(), e.port()))
        };
        assert_eq!(
            parts("https://node.example:7443"),
            Ok(("node.example".into(), 7443))
        );
        assert_eq!(parts("https://[::1]:7443"), Ok(("::1".into(), 7443)));
        for bad in [
            "http://node.example:7443",
            "https://node.example",
            "https://node.example:0",
            "https://node.example:07443",
            "https://node.example:65536",
            "https://node.example:7443/",
            "https://node.example:7443/path",
            "https://someone@node.example:7443",
            "https://node.example:7443?x",
            "https://:7443",
            "https://[node]:7443",
            "https://::1:7443",
            "https://node example:7443",
        ] {
            assert_eq!(parts(bad), Err(MalformedEndpoint), "{bad}");
        }
    }
}
