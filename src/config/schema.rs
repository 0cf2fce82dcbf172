//! The configuration file as written.

use crate::{
    access::{Principal, Units},
    domain::Jurisdiction,
    tls::{EndpointUrl, RequireHybrid},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    collections::BTreeMap,
    fmt::Display,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(deserialize_with = "parsed")]
    pub(super) jurisdiction: Jurisdiction,
    pub(super) name: String,
    pub(super) data: Option<PathBuf>,
    #[serde(default)]
    pub(super) listen: Listen,
    #[serde(default)]
    pub(super) tls: Tls,
    #[serde(default)]
    pub(super) access: Access,
    #[serde(default)]
    pub(super) client: Client,
    #[serde(default)]
    pub(super) check: Check,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) exchange: Exchange,
    #[serde(default)]
    pub(super) quotas: Quotas,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) address: Option<SocketAddr>,
    #[serde(default, deserialize_with = "optional")]
    pub(super) endpoint: Option<EndpointUrl>,
    pub(super) admin: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) crl: Option<PathBuf>,
    #[serde(default, deserialize_with = "optional")]
    pub(super) require_hybrid: Option<RequireHybrid>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Access {
    #[serde(default, deserialize_with = "each")]
    pub(super) auditors: Vec<Principal>,
    #[serde(default, deserialize_with = "units")]
    pub(super) units: Units,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    #[serde(default, deserialize_with = "optional")]
    pub(super) node: Option<EndpointUrl>,
    pub(super) identities: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    #[serde(default, deserialize_with = "each")]
    pub(super) partners: Vec<Jurisdiction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) connections: Option<NonZeroUsize>,
    pub(super) connections_per_address: Option<NonZeroUsize>,
    pub(super) connections_per_principal: Option<NonZeroUsize>,
    pub(super) handshakes: Option<NonZeroUsize>,
    pub(super) requests_per_connection: Option<NonZeroUsize>,
    pub(super) handshake_timeout_s: Option<NonZeroU32>,
    pub(super) drain_s: Option<u32>,
    pub(super) disk_reserve_mib: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    pub(super) start_wait_s: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quotas {
    pub(super) calls_per_minute: Option<NonZeroU32>,
    pub(super) pushed_per_minute: Option<NonZeroU32>,
    pub(super) pushed_per_day: Option<NonZeroU32>,
    pub(super) opened_per_hour: Option<NonZeroU32>,
    pub(super) searches_per_hour: Option<NonZeroU32>,
    pub(super) misses_per_hour: Option<NonZeroU32>,
    pub(super) conflicts_per_hour: Option<NonZeroU32>,
    pub(super) dispatches_per_minute: Option<NonZeroU32>,
    pub(super) dispatches_per_day: Option<NonZeroU32>,
    pub(super) logged_bytes_per_day: Option<NonZeroU32>,
    pub(super) streams: Option<NonZeroU32>,
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    parsed(deserializer).map(Some)
}

fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Units, D::Error> {
    let written = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
    let unit = |(name, members): (String, Vec<String>)| {
        if members.is_empty() {
            let empty = format!("unit {name} has no officers; name them, or leave the unit out");
            return Err(D::Error::custom(empty));
        }
        let name = name.parse().map_err(D::Error::custom)?;
        let members = members.iter().map(|m| m.parse().map_err(D::Error::custom));
        Ok((name, members.collect::<Result<_, _>>()?))
    };
    written.into_iter().map(unit).collect()
}

fn each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| text.parse().map_err(D::Error::custom))
        .collect()
}
