//! The sheets that `lead check` and `lead push` write beside what they print.

use super::{
    receipt::{Acknowledged, ReceiptSheet},
    rejected::RejectedSheet,
    report::Added,
    submission::{Checked, Rules},
};
use crate::{
    cli::{
        client::Connection,
        context::Context,
        exit::{Exit, Failure},
        out_file::{is_workbook, same_file},
    },
    entry::SheetRow,
};
use clap::Args;
use std::path::{Path, PathBuf, absolute};

/// Where the rows go that were refused.
#[derive(Args, Debug)]
pub(in crate::cli) struct RejectedArgs {
    /// 退回的行 / Write the rejected rows here, with reasons: mend them, and push that file. Holds personal data.
    #[arg(long, value_name = "OUT.xlsx")]
    rejected: Option<PathBuf>,
    /// 覆盖已有文件 / Write over files that are there.
    #[arg(long)]
    force: bool,
}

/// What is written. Both are begun before anything is sent, so that a full disk is found early.
pub(in crate::cli) struct Outputs<C> {
    pub(super) rejected: Option<RejectedSheet<C>>,
    pub(super) receipt: Option<ReceiptSheet>,
}

impl<C: SheetRow> Outputs<C> {
    /// Nothing is written.
    pub(in crate::cli) const fn none() -> Self {
        Self {
            rejected: None,
            receipt: None,
        }
    }

    pub(in crate::cli) fn begin(
        pushed: &Path,
        args: &RejectedArgs,
        receipt: Option<&Path>,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let rejected = args.rejected.as_deref();
        for out in [rejected, receipt].into_iter().flatten() {
            is_workbook(out)?;
            if same_file(out, pushed) {
                return Err(one_file(out));
            }
        }
        if let (Some(rejected), Some(receipt)) = (rejected, receipt)
            && (same_file(rejected, receipt) || absolute(rejected).ok() == absolute(receipt).ok())
        {
            return Err(one_file(receipt));
        }
        Ok(Self {
            rejected: rejected
                .map(|path| RejectedSheet::begin(path, args.force, context.lang()))
                .transpose()?,
            receipt: receipt
                .map(|path| ReceiptSheet::begin(path, args.force, pushed, context))
                .transpose()?,
        })
    }

    /// That the file is still the one that was to be pushed.
    pub(in crate::cli) fn unchanged(&self) -> Result<(), Failure> {
        self.receipt
            .as_ref()
            .map_or(Ok(()), ReceiptSheet::unchanged)
    }

    /// A row, as it was decided at last.
    pub(super) fn row(
        &mut self,
        row: &Checked<C>,
        added: &Added,
        acknowledged: Option<&Acknowledged>,
    ) -> Result<(), Failure> {
        if let Some(receipt) = &mut self.receipt {
            receipt.row(row, added, acknowledged);
        }
        match &mut self.rejected {
            Some(rejected) => rejected.row(row, added),
            None => Ok(()),
        }
    }

    /// After a push. One that broke off leaves no rejected rows: they would be a part of them only. Its receipt says what
    /// is known.
    pub(super) async fn keep(
        self,
        node: &Connection,
        rules: &Rules,
        broken_off: Option<&Failure>,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        if let Some(receipt) = self.receipt {
            receipt.keep::<C>(node, rules, broken_off, context).await?;
        }
        match self.rejected {
            Some(rejected) if broken_off.is_none() => rejected.keep(),
            Some(rejected) => {
                rejected.abandon();
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn one_file(path: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        "是另一个参数所指的文件；请另写文件名",
        "is the file of another argument; name another",
    )
    .at(path.display())
}
