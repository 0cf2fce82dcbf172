//! `yichuan caught`: notices to the origin about its residents who were caught.

use super::{
    args::{self, Direction, LookArgs, NumberArgs, OverrideArgs, id},
    context::Context,
    exit::{Exit, Failure},
    record::{
        assign::{self, AssignArgs},
        family,
        list::{self, PageArgs, TimeArgs},
        row::Query,
        sheet::{outputs::Outputs, push, submission::Source},
        show,
    },
};
use crate::{
    domain::{ArrestNoticeColumn, ArrestNoticeFields, Family, Jurisdiction, Lang, RecordId, State},
    intake,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// 抓获通报 / Caught notices.
#[derive(Args, Debug)]
pub(super) struct CaughtArgs {
    #[command(subcommand)]
    command: CaughtCommand,
}

#[derive(Debug, Subcommand)]
enum CaughtCommand {
    /// 发送 / Push notices, from a sheet or one by form. The same again changes nothing.
    Push(PushArgs),
    /// 列出 / List notices without opening them.
    List(Box<ListArgs>),
    /// 查看 / Open one: what it says, and the recipient's proof. Is logged.
    Show {
        /// 通报标识 / The notice's id.
        #[arg(value_parser = id::<RecordId>)]
        notice: RecordId,
        #[command(flatten)]
        look: LookArgs,
    },
    /// 指派 / Assign a notice to an officer or a unit: the others see that it exists, not what it says. For supervisors.
    Assign(AssignArgs),
}

/// A sheet, or one form.
#[derive(Args, Debug)]
struct PushArgs {
    /// 表格 / The sheet: an .xlsx workbook, or CSV.
    #[arg(required_unless_present = "form", conflicts_with = "form")]
    file: Option<PathBuf>,
    /// 表单 / One notice, field by field, by key or Chinese header: number=… name=- resident_number=-. A value of - is the
    /// next line of stdin: command lines are public on a machine.
    #[arg(long, value_name = "FIELD=VALUE", num_args = 1..)]
    form: Vec<String>,
}

/// Which notices. All filters given must hold. With several `-`, stdin has a line for the number, then one for the name.
#[derive(Args, Debug)]
struct ListArgs {
    /// 方向 / Which way they went.
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// 状态 / In one of these states: sent, delivered, refused.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = family::state(Family::ArrestNotice))]
    state: Vec<State>,
    /// 对方 / With this jurisdiction, whichever way.
    #[arg(long, value_name = "CODE")]
    counterpart: Option<Jurisdiction>,
    #[command(flatten)]
    times: TimeArgs,
    #[command(flatten)]
    number: NumberArgs,
    /// 姓名 / About a person of this name. Write - and give it on stdin, on the line after the number's.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    name: Option<String>,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    page: PageArgs,
}

impl PushArgs {
    fn read(&self, lang: Lang) -> Result<Source<ArrestNoticeColumn>, Failure> {
        match &self.file {
            Some(file) => Source::open(file),
            None => form(&self.form, lang).map(|fields| Source::Form(Box::new(fields))),
        }
    }
}

fn form(typed: &[String], lang: Lang) -> Result<ArrestNoticeFields, Failure> {
    let mut fields = ArrestNoticeFields::default();
    for pair in typed {
        // What was typed may be about a person: it is not repeated.
        let unknown = || {
            Failure::new(
                Exit::Usage,
                "应写成 字段=值，字段用表头或键名，例如 number=… name=-",
                "write field=value, with a field's key or Chinese header, such as number=… name=-",
            )
            .at("--form")
        };
        let (name, value) = pair.split_once('=').ok_or_else(unknown)?;
        let column: ArrestNoticeColumn = intake::column_named(name).ok_or_else(unknown)?;
        let personal = matches!(
            column,
            ArrestNoticeColumn::Name | ArrestNoticeColumn::ResidentNumber
        );
        let text = if value == "-" || personal {
            args::line(column.as_str(), value, lang)?
        } else {
            value.to_owned()
        };
        *fields.get_mut(column) = text;
    }
    Ok(fields)
}

impl ListArgs {
    fn query(&self, context: &Context<'_>) -> Result<Query, Failure> {
        // Before stdin is waited for.
        context.grounds()?;
        let counterpart = self.counterpart.map(|code| code.to_string());
        Ok(Query {
            direction: Some(self.direction),
            states: self.state.clone(),
            counterpart: counterpart.unwrap_or_default(),
            number: self.number.value(context.lang())?,
            name: list::name(self.name.as_deref(), context.lang())?,
            overriding: self.over.assignment,
            ..self.page.query(self.times)
        })
    }
}

pub(super) fn run(args: &CaughtArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let family = Family::ArrestNotice;
    match &args.command {
        CaughtCommand::Push(args) => {
            // Before stdin is waited for.
            context.grounds()?;
            push::run(args.read(context.lang())?, Outputs::none(), context)
        }
        CaughtCommand::List(args) => {
            let query = args.query(context)?;
            list::run(family, query, args.page, context)
        }
        CaughtCommand::Show { notice, look } => show::run(family, *notice, *look, context),
        CaughtCommand::Assign(args) => assign::run(args, context),
    }
}
