//! The keys that an auditor brings along.

use crate::{
    cli::{
        context::{Context, read_card},
        exit::{Exit, Failure},
    },
    note::{MalformedKey, VerifierKey},
};
use clap::Args;
use std::path::PathBuf;

/// Keys that the auditor has from the jurisdictions themselves.
#[derive(Args, Debug)]
pub(super) struct HeldArgs {
    /// 日志验证公钥 / A log's verifier key, a file or the text, as compared out of band. May be repeated: the log's first,
    /// then partners', which go before what the log says of them. Without any, the log's key is that on --card, else that
    /// in this node's data directory.
    #[arg(long, visible_alias = "key", value_name = "FILE|TEXT")]
    vkey: Vec<String>,
    /// 对方名片 / Cards of partners, as compared out of band, for the keys on them. May be repeated.
    #[arg(long, value_name = "FILE")]
    partner_card: Vec<PathBuf>,
}

impl HeldArgs {
    /// The log's key, and those of partners.
    pub(super) fn keys(
        &self,
        context: &Context<'_>,
    ) -> Result<(VerifierKey, Vec<VerifierKey>), Failure> {
        let mut keys = self.vkey.iter().map(String::as_str);
        let own = context.verifier_key(keys.next())?;
        let given = keys.map(|key| context.verifier_key(Some(key)));
        let cards = self.partner_card.iter().map(|path| {
            let key = read_card(path)?.vkey().parse();
            key.map_err(|error: MalformedKey| Failure::of(Exit::BadData, &error).at(path.display()))
        });
        Ok((own, given.chain(cards).collect::<Result<_, _>>()?))
    }
}
