//! A new node's configuration: the documented sample with the node's own values.

use crate::{domain::Jurisdiction, tls::EndpointUrl};
use std::net::SocketAddr;
use toml::Value;

/// The documented sample.
pub const SAMPLE: &str = include_str!("node.sample.toml");

/// The values that a new node's configuration needs.
#[derive(Clone, Debug)]
pub struct NewNode<'a> {
    /// The node's jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Its name.
    pub name: &'a str,
    /// The address on which it listens.
    pub address: SocketAddr,
    /// The address that partners dial.
    pub endpoint: &'a EndpointUrl,
    /// The address for health and metrics.
    pub admin: SocketAddr,
    /// Partners that an offline check may assume.
    pub partners: &'a [Jurisdiction],
}

/// The sample with its comments and these values.
pub fn render(node: &NewNode<'_>) -> String {
    let text = |value: &dyn ToString| Value::String(value.to_string());
    let code = node.jurisdiction;
    let auditor = format!("spiffe://{code}.yichuan/auditor/001");
    let partners = node.partners.iter().map(|code| text(code)).collect();
    let values = [
        ("jurisdiction", text(&code)),
        ("name", text(&node.name)),
        ("address", text(&node.address)),
        ("endpoint", text(node.endpoint)),
        ("admin", text(&node.admin)),
        ("auditors", Value::Array(vec![text(&auditor)])),
        ("node", text(node.endpoint)),
        ("partners", Value::Array(partners)),
    ];
    let line = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        match values.iter().find(|(known, _)| *known == key) {
            Some((key, value)) => format!("{key} = {value}\n"),
            None => format!("{line}\n"),
        }
    };
    SAMPLE.lines().map(line).collect()
}
