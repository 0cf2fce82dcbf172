//! What a referral says, as it is given on a command line.

use crate::{
    cli::{
        args::{self, id},
        exit::{Exit, Failure},
    },
    domain::{Lang, Locality, RecordId, content::referral::ReferralFields},
    entry::pb,
};
use clap::Args;

/// What it says. With several `-`, stdin has a line for the name, then one for the number, then the matter.
#[derive(Args, Debug)]
pub(super) struct ContentArgs {
    /// 标题 / In one line, at most 100 characters.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    title: String,
    /// 事项 / What is asked for, and why, at most 4,000 characters; @ and a path reads it from that file, - from stdin.
    #[arg(long, value_name = "TEXT|@FILE|-", allow_hyphen_values = true)]
    matter: String,
    /// 案件编号 / One's own case: A and 22 digits.
    #[arg(long, value_name = "NUMBER")]
    case: Option<String>,
    /// 人员姓名 / The person concerned. Write - and give the name on stdin.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    subject_name: Option<String>,
    /// 公民身份号码 / Their citizen number. Write - and give it on stdin, on the line after the name's.
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    subject_number: Option<String>,
    /// 指向地代码 / The place that it points to: 6, 9 or 12 digits.
    #[arg(long, value_name = "CODE")]
    place: Option<Locality>,
    /// 毒品种类 / Substance.
    #[arg(long, value_name = "TEXT")]
    substance: Option<String>,
    /// 所附线索 / Leads that it carries, at most 16.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    #[arg(value_parser = id::<RecordId>)]
    lead: Vec<RecordId>,
}

impl ContentArgs {
    /// What it says, checked before anybody is asked.
    pub(super) fn read(&self, lang: Lang) -> Result<pb::Referral, Failure> {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        // In the order in which they stand on stdin.
        let subject_name = match &self.subject_name {
            Some(typed) => args::line("--subject-name", typed, lang)?,
            None => String::new(),
        };
        let subject_number = match &self.subject_number {
            Some(typed) => args::number("--subject-number", typed, lang)?,
            None => String::new(),
        };
        let fields = ReferralFields {
            title: self.title.clone(),
            matter: args::text(&self.matter)?,
            case_number: given(&self.case),
            subject_name,
            subject_number,
            place_code: self.place.as_ref().map_or("", Locality::as_str).to_owned(),
            substance: given(&self.substance),
            lead_ids: self.lead.iter().map(ToString::to_string).collect(),
        };
        fields
            .check()
            .map_err(|defect| Failure::of(Exit::BadData, &defect))?;
        Ok((&fields).into())
    }
}
