//! How a command ends: its exit code, and what it says where it failed.

use crate::{
    audit::{CaseDefect, ExportDefect, ExportError, FolderDefect, SearchError},
    domain::{Lang, printable},
};
use std::{error::Error, fmt, io, process::ExitCode};

/// How a command ended. The codes are those of `sysexits.h`, and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: done, but some rows were rejected.
    SomeRejected,
    /// 64: the command line is wrong.
    Usage,
    /// 65: a file or an answer is not what it should be.
    BadData,
    /// 66: what was named is not there.
    NoInput,
    /// 69: the node was not reached, or takes no calls now.
    Unreachable,
    /// 70: a failure of this program or of the node.
    Internal,
    /// 77: refused.
    Refused,
    /// 78: the configuration is wrong.
    Configuration,
}

impl Exit {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::SomeRejected,
        Self::Usage,
        Self::BadData,
        Self::NoInput,
        Self::Unreachable,
        Self::Internal,
        Self::Refused,
        Self::Configuration,
    ];

    /// What the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeRejected => 1,
            Self::Usage => 64,
            Self::BadData => 65,
            Self::NoInput => 66,
            Self::Unreachable => 69,
            Self::Internal => 70,
            Self::Refused => 77,
            Self::Configuration => 78,
        }
    }

    /// In a few words, before a text that has no Chinese of its own.
    const fn zh(self) -> &'static str {
        match self {
            Self::Done => "完成",
            Self::SomeRejected => "部分行被拒绝",
            Self::Usage => "用法有误",
            Self::BadData => "数据有误",
            Self::NoInput => "找不到或无法读取",
            Self::Unreachable => "节点不可用",
            Self::Internal => "内部故障",
            Self::Refused => "被拒绝",
            Self::Configuration => "配置有误",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked: what happened, where, and what to do, in both languages. Never anything about
/// a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    zh: String,
    en: String,
}

impl Failure {
    /// In both languages, each on one line: what a file or a node says cannot begin a line of its own.
    pub fn new(exit: Exit, zh: impl AsRef<str>, en: impl AsRef<str>) -> Self {
        Self {
            exit,
            zh: printable(zh.as_ref()),
            en: printable(en.as_ref()),
        }
    }

    /// What an error and its causes say.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let en = with_causes(error);
        Self::new(exit, format!("{}：{en}", exit.zh()), en)
    }

    /// The same, and where: a file, a row.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self {
            exit: self.exit,
            zh: format!("{}：{}", printable(&place.to_string()), self.zh),
            en: format!("{}: {}", printable(&place.to_string()), self.en),
        }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn hint(mut self, zh: &str, en: &str) -> Self {
        self.zh = format!("{}\n提示：{}", self.zh, printable(zh));
        self.en = format!("{}\nhint: {}", self.en, printable(en));
        self
    }

    /// The same, with the node's own words beneath the Chinese ones.
    #[must_use]
    pub(super) fn original(mut self, said: &str) -> Self {
        self.zh = format!("{}\n节点原文：{}", self.zh, printable(said));
        self
    }

    /// How the command ends.
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// In one language. Empty where there is nobody left to read it.
    pub fn message(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }
}

/// An error, and those of its causes that it does not name itself.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Output could not be written. Whoever closed the pipe has seen enough and is told nothing.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Internal, "", "");
        }
        Self::new(
            Exit::Internal,
            format!("无法写出结果：{error}"),
            format!("cannot write the output: {error}"),
        )
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

/// How errors of one type end a command.
macro_rules! fails {
    ($($error:ty => |$e:ident| $exit:expr;)+) => {
        $(impl From<$error> for Failure {
            fn from($e: $error) -> Self {
                Self::of($exit, &$e)
            }
        })+
    };
}

fails! {
    crate::config::ConfigError => |_e| Exit::Configuration;
    crate::telemetry::LogError => |_e| Exit::Configuration;
    crate::tls::TlsError => |_e| Exit::Configuration;
    crate::tls::CredentialsError => |_e| Exit::Configuration;
    crate::access::GroundsDefect => |_e| Exit::Usage;
    ExportDefect => |e| {
        let absent = matches!(e, ExportDefect::Io { .. } | ExportDefect::NoCheckpoint { .. });
        if absent { Exit::NoInput } else { Exit::BadData }
    };
    SearchError => |e| match e {
        SearchError::Nothing => Exit::NoInput,
        SearchError::TooMany | SearchError::NoKey { .. } | SearchError::Proofs => Exit::BadData,
    };
    FolderDefect => |e| {
        let absent = matches!(e, FolderDefect::Read(ExportDefect::Io { .. }));
        if absent { Exit::NoInput } else { Exit::BadData }
    };
    CaseDefect => |_e| Exit::BadData;
    ExportError => |e| match e {
        ExportError::NotEmpty { .. } => Exit::Refused,
        ExportError::Io { .. } => Exit::Internal,
        ExportError::LeafTooLong(_) | ExportError::Mismatch(_) => {
            Exit::BadData
        }
    };
    crate::note::NoteError => |_e| Exit::BadData;
    crate::audit::Mismatch => |_e| Exit::BadData;
    crate::audit::LeafTooLong => |_e| Exit::BadData;
    crate::tls::CardError => |_e| Exit::BadData;
    crate::tls::MakeCardError => |_e| Exit::BadData;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn exit_codes_are_those_that_scripts_know() {
        let codes: Vec<_> = Exit::ALL.map(Exit::code).into();
        assert_eq!(codes, [0, 1, 64, 65, 66, 69, 70, 77, 78]);
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn a_cause_is_said_once() {
        let cause = io::Error::other("disk on fire");
        let defect = ExportError::Io {
            path: "/x".into(),
            source: cause,
        };
        let failure = Failure::from(defect);
        assert_eq!(
            failure.message(Lang::En),
            "/x could not be written: disk on fire"
        );
        assert!(failure.message(Lang::Zh).starts_with("内部故障："));
    }

    #[test]
    fn regression_what_a_file_says_begins_no_line_of_its_own() {
        let name = "export\n\u{1b}[32mverified";
        let failure = Failure::new(Exit::BadData, name, name)
            .at(name)
            .hint(name, name)
            .original(name);
        for (lang, lines) in [(Lang::Zh, 3), (Lang::En, 2)] {
            let said = failure.message(lang);
            assert!(!said.contains('\u{1b}'), "{said}");
            assert!(said.lines().all(|line| !line.starts_with("verified")));
            assert_eq!(said.lines().count(), lines, "{said}");
        }
    }

    #[test]
    fn who_closed_the_pipe_is_told_nothing() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.message(Lang::En), "");
    }
}
