//! `lead template OUT.xlsx`: an empty sheet to fill.

use crate::{
    cli::{
        context::Context,
        exit::{Exit, Failure},
        out_file::{OutFile, is_workbook},
    },
    domain::Lang,
    intake,
};
use clap::Args;
use std::path::PathBuf;

/// Where to.
#[derive(Args, Debug)]
pub(in crate::cli) struct TemplateArgs {
    /// 写入的文件 / The .xlsx workbook to write.
    file: PathBuf,
    /// 覆盖已有文件 / Write over a file that is there.
    #[arg(long)]
    force: bool,
}

pub(in crate::cli) fn run(args: &TemplateArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let lang = context.lang();
    is_workbook(&args.file)?;
    let file = OutFile::begin(&args.file, args.force)?;
    let mut workbook =
        intake::template(lang).map_err(|error| Failure::of(Exit::Internal, &error))?;
    file.keep(|out| workbook.save_to_writer(out))?;
    let path = args.file.display();
    match lang {
        Lang::Zh => writeln!(
            context.out,
            "模板已写入 {path}；带 * 的列必填，说明见第二页"
        )?,
        Lang::En => writeln!(
            context.out,
            "the template is in {path}; columns with a star are required, the second page explains them"
        )?,
    }
    Ok(Exit::Done)
}
