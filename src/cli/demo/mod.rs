//! `yichuan demo`: a county's leads arrive at two provinces, are signed for and read there; with one that held the county
//! asks for assistance and hands a case over; and an auditor who trusts no node proves it all.

mod auditor;
mod casework;
pub mod cluster;
mod officers;
mod places;
mod story;

use crate::domain::Lang;
use crate::exchange::CourierOptions;
use anyhow::Context as _;
use cluster::Cluster;
use places::{COUNTY, GUANGDONG, ZHEJIANG};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use story::Story;

/// The sample workbook: invented people, born 1900 to 1909.
const SHEET: &[u8] = include_bytes!("../../../tests/data/screening-sample.xlsx");

/// How the demo runs.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Keep everything here; nothing for a directory that goes away.
    pub keep: Option<PathBuf>,
    /// Leave the nodes up until interrupted, and print what to try.
    pub serve: bool,
    /// The language of the story.
    pub lang: Lang,
}

/// Tells the story, acting it out with three real nodes.
///
/// # Errors
/// Something did not go as the story says, which is a defect; or the directory cannot be used.
pub async fn run(options: &DemoOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let temporary = tempdir(options.keep.is_none())?;
    let dir = match (&options.keep, &temporary) {
        (Some(keep), _) => prepare(keep)?,
        (None, Some(temporary)) => temporary.0.clone(),
        (None, None) => anyhow::bail!("no directory"),
    };
    let mut story = Story::new(out, options.lang);
    let cluster = Cluster::start(
        &dir,
        &[COUNTY, GUANGDONG, ZHEJIANG],
        CourierOptions::default(),
    )
    .await?;
    let told = tell(&mut story, &cluster, &dir).await;
    if told.is_ok() && options.serve {
        story.what_to_try(&cluster)?;
        tokio::signal::ctrl_c()
            .await
            .context("waiting for Ctrl-C")?;
    }
    cluster.stop().await;
    told?;
    if options.keep.is_some() {
        story.kept(&dir)?;
    }
    Ok(())
}

async fn tell(story: &mut Story<'_>, cluster: &Cluster, dir: &Path) -> anyhow::Result<()> {
    story.nodes(cluster)?;
    cluster.introduce().await?;
    story.introduced(cluster)?;

    let sheet = dir.join("screening-sample.xlsx");
    fs::write(&sheet, SHEET)?;
    let pushed = officers::push(cluster, &sheet).await?;
    story.pushed(&pushed)?;
    cluster.settled().await?;
    story.delivered(cluster)?;
    let again = officers::push(cluster, &sheet).await?;
    story.pushed_again(&again)?;

    let read = officers::read_and_answer(cluster).await?;
    cluster.settled().await?;
    story.read(&read)?;
    let seen = officers::seen_by_county(cluster, &read).await?;
    story.seen_by_county(&seen)?;
    let refused = officers::refusals(cluster, &read).await?;
    story.refused(&refused)?;

    let case = casework::assist(cluster, &read.verified).await?;
    story.assisted(&case)?;
    let draft = casework::draft(cluster, &read.verified).await?;
    story.drafted(&draft)?;
    let seen = casework::seen_by_partners(cluster, &case).await?;
    story.seen_by_partners(&seen)?;
    let transferred = casework::transfer(cluster, draft).await?;
    story.transferred(&transferred)?;
    let caught = casework::caught(cluster, &read.verified).await?;
    story.caught(&caught)?;

    let mut logs = Vec::new();
    for member in cluster.members() {
        logs.push(auditor::export(cluster, member, &member.dir).await?);
    }
    let verdicts = logs
        .iter()
        .map(auditor::Exported::inspect)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let compared = auditor::reconcile_all(&logs)?;
    story.audited(&verdicts, &compared)?;
    anyhow::ensure!(
        verdicts.iter().all(auditor::Verdict::is_clean)
            && compared.iter().all(auditor::Compared::is_clean),
        "the logs are not in order"
    );
    story.end()
}

/// A directory that goes away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Leftovers in the system's temporary directory are not worth failing for.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn tempdir(wanted: bool) -> anyhow::Result<Option<Temporary>> {
    if !wanted {
        return Ok(None);
    }
    let unique = crate::domain::RecordId::new(crate::domain::Timestamp::default());
    let dir = std::env::temp_dir().join(format!("yichuan-demo-{unique}"));
    fs::create_dir(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    Ok(Some(Temporary(dir)))
}

fn prepare(keep: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(keep).with_context(|| format!("could not create {}", keep.display()))?;
    let empty = fs::read_dir(keep)?.next().is_none();
    anyhow::ensure!(
        empty,
        "{} is not empty; the demo wants a fresh directory",
        keep.display()
    );
    Ok(std::path::absolute(keep)?)
}
