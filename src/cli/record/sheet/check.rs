//! `lead check FILE`: what each row of a sheet would get, without a node.

pub use super::report::Summary;
pub use crate::cli::print::Format;

use super::{
    outputs::{Outputs, RejectedArgs},
    report::{Added, Report},
    submission::{sheet_failure, tell},
};
use crate::{
    cli::{
        context::Context,
        exit::{Exit, Failure},
        print,
    },
    domain::{Column, Jurisdiction, Lang, Rules},
    intake::{RowVerdict, Sheet, check},
};
use clap::Args;
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct CheckArgs {
    /// 表格 / The sheet: an .xlsx workbook, or CSV.
    file: PathBuf,
    /// 本辖区 / Whose sheet it is. Else the configuration's.
    #[arg(long, value_name = "CODE", requires = "partners")]
    jurisdiction: Option<Jurisdiction>,
    /// 对方辖区 / Partners to assume. Else `check.partners` of the configuration.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    partners: Vec<Jurisdiction>,
    #[command(flatten)]
    rejected: RejectedArgs,
}

/// Checks a file and prints what each row gets. A table shows the rows that need a look; accepted ones are counted. No
/// value of a cell is ever printed. The bar goes to stderr, where that is a terminal.
///
/// # Errors
/// The file is no sheet of leads (exit code 66 where it cannot be read, else 65), or `out` cannot be written.
pub fn run(
    path: &Path,
    rules: &Rules<'_>,
    format: Format,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<Summary, Failure> {
    run_with(path, rules, format, lang, out, &mut |_| Ok(()))
}

/// As [`run`], with each row's verdict handed to `each` too.
fn run_with(
    path: &Path,
    rules: &Rules<'_>,
    format: Format,
    lang: Lang,
    out: &mut dyn Write,
    each: &mut dyn FnMut(&RowVerdict) -> Result<(), Failure>,
) -> Result<Summary, Failure> {
    let sheet = Sheet::open(path).map_err(|error| sheet_failure(&error, path))?;
    tell(&sheet, lang);
    let length = u64::try_from(sheet.len()).unwrap_or(u64::MAX);
    let bar = print::progress(length, lang, "核对", "checking");
    let mut report = Report::new(None, sheet.tables().len(), format, lang, out);
    for verdict in check(sheet, rules) {
        bar.inc(1);
        each(&verdict)?;
        report.row(&verdict, Added::default())?;
    }
    bar.finish_and_clear();
    report.finish()
}

/// The command.
pub(in crate::cli) fn command(
    args: &CheckArgs,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let (own, partners) = whose(args, context)?;
    let rules = Rules {
        own,
        partners: &partners,
        today: context.clock().now().shanghai_date(),
    };
    let mut outputs = Outputs::<Column>::begin(&args.file, &args.rejected, None, context)?;
    let (format, lang) = (context.format(), context.lang());
    let summary = run_with(&args.file, &rules, format, lang, context.out, &mut |row| {
        outputs.row(row, &Added::default(), None)
    })?;
    if let Some(rejected) = outputs.rejected {
        rejected.keep()?;
    }
    Ok(summary.exit())
}

/// Whose sheet it is, and which partners are assumed.
fn whose(
    args: &CheckArgs,
    context: &Context<'_>,
) -> Result<(Jurisdiction, BTreeSet<Jurisdiction>), Failure> {
    let (own, partners) = match args.jurisdiction {
        Some(own) => (own, args.partners.clone()),
        None => {
            let config = context.config().map_err(|failure| {
                failure.hint(
                    "或用 --jurisdiction 与 --partners 写明辖区",
                    "or say whose sheet it is, with --jurisdiction and --partners",
                )
            })?;
            let assumed = match args.partners.as_slice() {
                [] => config.check.partners,
                named => named.to_vec(),
            };
            (config.jurisdiction, assumed)
        }
    };
    Ok((own, partners.into_iter().collect()))
}
