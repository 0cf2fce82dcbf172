//! `yichuan certs`: the jurisdiction's CA, on the machine that holds its key.

use super::exit::{Exit, Failure};
use crate::{
    domain::{Clock, Jurisdiction, Timestamp},
    tls::{CertDir, CertDirError, IndexEntry, Validity},
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// 证书 / Certificates of the jurisdiction: its CA, its node, its people.
#[derive(Args, Debug)]
pub struct CertsArgs {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Debug, Subcommand)]
enum CertsCommand {
    /// 建立本辖区的 CA / Make the jurisdiction's CA. Its key stays offline.
    Ca {
        /// 辖区代码 / Code of the jurisdiction, such as 520624.
        jurisdiction: Jurisdiction,
        #[command(flatten)]
        dir: Directory,
        #[command(flatten)]
        validity: Days,
        #[command(flatten)]
        list: ListDays,
    },
    /// 签发证书 / Issue certificates: node, officer-001, supervisor-001, auditor-001, admin-001.
    Issue {
        /// 名称 / Names, which are those of the files, too.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        dir: Directory,
        #[command(flatten)]
        validity: Days,
    },
    /// 吊销证书 / Revoke certificates, and write the next revocation list. Without any, renew the list.
    Revoke {
        /// 名称或序列号 / Names or serial numbers, as `certs show` lists them.
        selected: Vec<String>,
        #[command(flatten)]
        dir: Directory,
        #[command(flatten)]
        list: ListDays,
    },
    /// 列出证书 / Show the CA, its revocation list, and what it issued.
    Show {
        #[command(flatten)]
        dir: Directory,
    },
}

#[derive(Args, Debug)]
struct Directory {
    /// 证书目录 / Directory of the CA.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
}

/// Days that a CA is valid, if nobody says otherwise.
const CA_DAYS: u32 = 3650;
/// Days that a certificate is valid, if nobody says otherwise.
const LEAF_DAYS: u32 = 397;

#[derive(Args, Debug)]
struct Days {
    /// 有效天数，CA 默认 3650，证书默认 397 / Days that it is valid. A CA: 3650, a certificate: 397, if not said.
    // An option: a default that is generic is one static for all that share it, and a certificate got its CA's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7305))]
    days: Option<u32>,
    /// 生效日期 / First day, such as 2026-01-01, in Asia/Shanghai. Now, if not said.
    #[arg(long, value_name = "DATE")]
    from: Option<jiff::civil::Date>,
}

#[derive(Args, Debug)]
struct ListDays {
    /// 吊销列表有效天数 / Days until the next revocation list is due.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=7305))]
    crl_days: u32,
}

/// Clocks that are a little behind must not find a new certificate not yet valid.
const BACKDATED_SECONDS: u64 = 300;

impl Days {
    fn validity(&self, now: Timestamp, default: u32) -> anyhow::Result<Validity> {
        let from = match self.from {
            None => backdated(now),
            Some(date) => {
                let midnight = date.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)))?;
                let millis = u64::try_from(midnight.timestamp().as_millisecond())
                    .context("--from: a day before 1970")?;
                Timestamp::from_millis(millis)
            }
        };
        Ok(Validity::days(from, self.days.unwrap_or(default)))
    }
}

fn backdated(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_sub(BACKDATED_SECONDS * 1000))
}

/// Runs the command; data goes to `out`.
///
/// # Errors
/// What the directory or the CA refuses.
pub fn run(args: &CertsArgs, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = clock.now();
    match &args.command {
        CertsCommand::Ca {
            jurisdiction,
            dir,
            validity,
            list,
        } => {
            let validity = validity.validity(now, CA_DAYS)?;
            let list = Validity::days(validity.not_before, list.crl_days);
            let made = CertDir::create(&dir.dir, *jurisdiction, validity, list)?;
            writeln!(
                out,
                "CA {jurisdiction}: {}",
                dir.dir.join("ca.pem").display()
            )?;
            writeln!(out, "SHA-256: {}", made.authority().fingerprint())?;
        }
        CertsCommand::Issue {
            names,
            dir,
            validity,
        } => {
            let certificates = CertDir::open(&dir.dir)?;
            for name in names {
                let entry = certificates.issue(name, validity.validity(now, LEAF_DAYS)?)?;
                let file = dir.dir.join(format!("{name}.pem"));
                writeln!(out, "{} {}", entry.principal, file.display())?;
            }
        }
        CertsCommand::Revoke {
            selected,
            dir,
            list,
        } => {
            let certificates = CertDir::open(&dir.dir)?;
            let list = Validity::days(now, list.crl_days);
            for entry in certificates.revoke(selected, list)? {
                writeln!(out, "{} {}", entry.serial, entry.principal)?;
            }
            let list = certificates.crl()?;
            let until = list.next_update().shanghai_text();
            writeln!(
                out,
                "CRL {}: {} revoked, until {until}",
                list.number(),
                list.revoked()
            )?;
        }
        CertsCommand::Show { dir } => show(&CertDir::open(&dir.dir)?, now, out)?,
    }
    Ok(())
}

/// How an error of these commands ends the program.
pub(super) fn failure(error: anyhow::Error) -> Failure {
    let error = match error.downcast::<io::Error>() {
        Ok(output) => return output.into(),
        Err(error) => error,
    };
    let exit = match error.downcast_ref::<CertDirError>() {
        Some(CertDirError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Exit::NoInput
        }
        Some(CertDirError::File { .. }) => Exit::Internal,
        Some(CertDirError::Exists(_) | CertDirError::Exposed(_)) => Exit::Refused,
        Some(CertDirError::Unknown(_)) => Exit::NoInput,
        Some(CertDirError::Index { .. } | CertDirError::Crl(_) | CertDirError::Issue(_)) => {
            Exit::BadData
        }
        // What is left is about what was typed.
        Some(CertDirError::Name(_)) | None => Exit::Usage,
    };
    Failure::of(exit, error.as_ref())
}

fn show(certificates: &CertDir, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    let ca = certificates.authority();
    writeln!(
        out,
        "CA {}, until {}",
        ca.jurisdiction(),
        ca.not_after().shanghai_text()
    )?;
    writeln!(out, "SHA-256: {}", ca.fingerprint())?;
    let list = certificates.crl()?;
    let state = if list.is_fresh(now) {
        "until"
    } else {
        "EXPIRED"
    };
    let until = list.next_update().shanghai_text();
    writeln!(
        out,
        "CRL {}: {} revoked, {state} {until}",
        list.number(),
        list.revoked()
    )?;
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NAME", "SERIAL", "UNTIL", "STATE", "PRINCIPAL"]);
    for entry in certificates.index()? {
        table.add_row([
            entry.name.clone(),
            entry.serial.clone(),
            entry.validity.not_after.shanghai_text(),
            state_of(&entry, now).to_owned(),
            entry.principal.to_string(),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn state_of(entry: &IndexEntry, now: Timestamp) -> &'static str {
    match entry.revoked {
        Some(_) => "revoked",
        None if entry.validity.not_after <= now => "expired",
        None if now < entry.validity.not_before => "not yet",
        None => "valid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        certs: CertsArgs,
    }

    #[derive(Debug)]
    struct NewYear;

    impl Clock for NewYear {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_767_225_600_000)
        }
    }

    fn typed(dir: &std::path::Path, line: &str) -> anyhow::Result<String> {
        let words = ["certs"].into_iter().chain(line.split(' '));
        let tail = ["--dir", dir.to_str().unwrap()];
        let typed = CommandLine::try_parse_from(words.chain(tail))?;
        let mut out = Vec::new();
        run(&typed.certs, &NewYear, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// The defaults were one static for CA and certificate: the second had the first's, and outlived its CA.
    #[test]
    fn regression_the_default_days_of_a_certificate_lie_within_its_cas() {
        let dir = tempfile::tempdir().unwrap();
        typed(dir.path(), "ca 520624").unwrap();
        typed(dir.path(), "issue officer-001").unwrap();
        let certificates = CertDir::open(dir.path()).unwrap();
        let leaf = certificates.index().unwrap().remove(0).validity;
        assert!(leaf.not_after < certificates.authority().not_after());
    }

    #[test]
    fn a_life_of_certificates() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("certs");
        typed(&dir, "ca 520624").unwrap();
        let issued = typed(&dir, "issue node officer-001").unwrap();
        assert!(
            issued.contains("spiffe://520624.yichuan/officer/001"),
            "{issued}"
        );
        assert!(typed(&dir, "ca 520624").is_err());
        assert!(typed(&dir, "issue chief-1").is_err());
        typed(&dir, "revoke officer-001").unwrap();
        let shown = typed(&dir, "show").unwrap();
        let line = |name: &str| shown.lines().find(|l| l.trim().starts_with(name)).unwrap();
        assert!(line("node").contains("valid"), "{shown}");
        assert!(line("officer-001").contains("revoked"), "{shown}");
        assert!(shown.contains("CRL 2: 1 revoked"), "{shown}");
    }
}
