//! The services of a node, listed once: router, health service, size limits, logs and quotas read this list. A service that
//! is forgotten here is not served, and a test says so.

use super::{
    audit::AuditService,
    codec::{MAX_MESSAGE, MAX_REQUEST},
    partners::PartnersService,
    pb,
    records::RecordsService,
    relay::ExchangeService,
};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use std::{collections::BTreeMap, sync::LazyLock};
use tonic::{server::NamedService, transport::server::Router};

/// A service as the health service shows it.
pub(super) struct Listed {
    /// `yichuan.v1.Partners`.
    pub(super) name: &'static str,
    /// Whether what it does ends in the log, so that it is not served while the log takes no writes.
    pub(super) writes: bool,
}

macro_rules! services {
    ($($field:ident: $module:ident::$server:ident<$handler:ident>, at_most $longest:ident, writes $writes:literal;)+) => {
        /// What answers each service.
        pub(super) struct Handlers { $(pub(super) $field: $handler,)+ }

        impl Handlers {
            /// Puts all services on a router, each with its limits.
            pub(super) fn on<L>(self, router: Router<L>) -> Router<L> {
                router$(.add_service(
                    pb::$module::$server::new(self.$field)
                        .max_decoding_message_size($longest)
                        .max_encoding_message_size(MAX_MESSAGE),
                ))+
            }
        }

        /// All services of ours.
        pub(super) const SERVICES: &[Listed] = &[$(Listed {
            name: <pb::$module::$server<$handler> as NamedService>::NAME,
            writes: $writes,
        },)+];
    };
}

services! {
    exchange: exchange_server::ExchangeServer<ExchangeService>, at_most MAX_MESSAGE, writes true;
    records: records_server::RecordsServer<RecordsService>, at_most MAX_REQUEST, writes true;
    partners: partners_server::PartnersServer<PartnersService>, at_most MAX_REQUEST, writes true;
    // Auditors are shown the log when it is closed, too.
    audit: audit_server::AuditServer<AuditService>, at_most MAX_REQUEST, writes false;
}

/// The paths of all calls that a node answers, and whether somebody else's code answers one with a stream.
static CALLS: LazyLock<BTreeMap<String, bool>> = LazyLock::new(|| {
    [
        pb::DESCRIPTOR,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    .filter_map(|set| FileDescriptorSet::decode(set).ok())
    .flat_map(|set| set.file)
    .flat_map(|file| {
        let package = file.package().to_owned();
        file.service.into_iter().flat_map(move |service| {
            let name = format!("{package}.{}", service.name());
            let ours = SERVICES.iter().any(|listed| listed.name == name);
            let methods = service.method.into_iter();
            methods.map(move |method| {
                let path = format!("/{name}/{}", method.name());
                (path, method.server_streaming() && !ours)
            })
        })
    })
    .collect()
});

/// A call's path, where there is such a call. A caller may ask for anything, and what it makes up might be about a person.
pub(super) fn known(path: &str) -> &'static str {
    CALLS
        .get_key_value(path)
        .map_or("unknown", |(path, _)| path.as_str())
}

/// Whether the call is answered with a stream by a service that is not ours. Our own handlers take their caller's place
/// among its streams themselves.
pub(super) fn streams_beside_ours(path: &str) -> bool {
    CALLS.get(path).is_some_and(|streams| *streams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_service_that_is_described_is_served() {
        let set = FileDescriptorSet::decode(pb::DESCRIPTOR).unwrap();
        let services = set.file.iter().flat_map(|file| {
            let services = file.service.iter();
            services.map(|service| format!("{}.{}", file.package(), service.name()))
        });
        let described: BTreeSet<_> = services.collect();
        let served: BTreeSet<_> = SERVICES.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(served, described);
    }

    #[test]
    fn streams_of_others_are_told_from_ours() {
        for path in [
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(streams_beside_ours(path), "{path}");
        }
        for path in [
            "/grpc.health.v1.Health/Check",
            "/yichuan.v1.Audit/Replay",
            "/nobody/knows",
        ] {
            assert!(!streams_beside_ours(path), "{path}");
        }
    }
}
