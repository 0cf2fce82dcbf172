//! `audit prove`: single entries for a case file, and their check by whoever has nothing but the logs' keys.

use super::{
    held::HeldArgs,
    node_log::{checkpoint, each},
    report::lines_of,
};
use crate::{
    api::json::ProvedInto,
    audit::{
        CaseFile, ExportedTree, Found, LogVerifier, Proved, Search, Wanted, check_folder, entries,
        read_proof, verify_export, write_folder,
    },
    cli::{
        args::id,
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain, progress},
    },
    domain::{DispatchId, Lang},
    entry::pb,
    merkle::{Hash, inclusion_proof},
    note::{SignedCheckpoint, VerifierKey},
    tls::Cards,
};
use clap::{ArgGroup, Args};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["id", "entry", "check"])))]
pub(super) struct ProveArgs {
    /// 标识 / Of a lead, referral or notice, or of one dispatch: prove what was sent and received, and every receipt.
    #[arg(value_name = "ID")]
    #[arg(value_parser = id::<DispatchId>)]
    id: Option<DispatchId>,
    /// 条目 / Prove the entry at this index, whatever it is.
    #[arg(long, value_name = "INDEX")]
    entry: Option<u64>,
    /// 新目录 / Directory to make; must not hold anything.
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    out: Option<PathBuf>,
    /// 导出目录 / Prove from this directory, which `audit export` wrote; asks no node.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// 核验 / Verify this directory, or this one .tlog-proof; asks no node and needs no log.
    #[arg(long, value_name = "DIR|FILE", conflicts_with_all = ["out", "export"])]
    check: Option<PathBuf>,
    #[command(flatten)]
    held: HeldArgs,
}

pub(super) fn run(args: &ProveArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (own, partners) = args.held.keys(context)?;
    if let Some(path) = &args.check {
        let held: Vec<_> = [own].into_iter().chain(partners).collect();
        let proved = checked(path, &held).map_err(|failure| failure.at(path.display()))?;
        report(&proved, None, context)?;
        return Ok(Exit::Done);
    }
    let wanted = match (args.id, args.entry) {
        (Some(id), _) => Wanted::Id(*id.as_bytes()),
        (None, entry) => Wanted::Entry(entry.unwrap_or_default()),
    };
    let search = Search::new(wanted, own.clone(), partners, &Cards);
    let (case, keys) = match &args.export {
        Some(dir) => from_export(dir, &own, search, context.lang())
            .map_err(|failure| failure.at(dir.display()))?,
        None => block_on(from_node(&own, search, context))?,
    };
    // Nothing is handed to a court that the check would refuse.
    let proved = case.verify(&keys).map_err(|defect| {
        Failure::from(defect).hint(
            "日志中所存的这一证明不成立；请运行 audit verify 并保留证据",
            "what the log keeps of it does not hold: run `audit verify`, and keep the evidence",
        )
    })?;
    // Required beside whatever is not a check.
    let dir = args.out.as_deref().unwrap_or(Path::new("."));
    write_folder(dir, &case, &proved)?;
    report(&proved, Some(dir), context)?;
    Ok(Exit::Done)
}

fn checked(path: &Path, keys: &[VerifierKey]) -> Result<Proved, Failure> {
    let found = fs::metadata(path).map_err(|error| Failure::of(Exit::NoInput, &error))?;
    if found.is_dir() {
        return Ok(check_folder(path, keys)?);
    }
    Ok(read_proof(path)?.verify(keys)?)
}

type Made = (CaseFile, Vec<VerifierKey>);

/// From a directory, verified first: a log of which something was taken away would prove too little.
fn from_export(
    dir: &Path,
    own: &VerifierKey,
    mut search: Search<'_>,
    lang: Lang,
) -> Result<Made, Failure> {
    let bar = progress(0, lang, "重算", "hashing");
    let log = verify_export(dir, own, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    for leaf in entries(dir, log.size()) {
        search.push(&leaf?)?;
    }
    let found = search.finish()?;
    let tree = ExportedTree::new(dir, log.size());
    let needed = found.needed(log.checkpoint());
    let proofs = needed.into_iter().map(|(index, size)| {
        inclusion_proof(&tree, index, size).map_err(|error| Failure::of(Exit::BadData, &error))
    });
    let proofs = proofs.collect::<Result<_, _>>()?;
    Ok(found.into_case(log.checkpoint(), proofs)?)
}

/// From a node, whose every entry is hashed here too.
async fn from_node(
    own: &VerifierKey,
    mut search: Search<'_>,
    context: &Context<'_>,
) -> Result<Made, Failure> {
    let node = context.connect()?;
    let head = checkpoint(&node, own).await?;
    let mut log = LogVerifier::new();
    each(&node, &head, context.lang(), |leaf| {
        log.push(leaf)?;
        Ok(search.push(leaf)?)
    })
    .await?;
    log.finish(&head)?;
    let found = search.finish()?;
    let proofs = inclusion_proofs(&node, &found, &head).await?;
    Ok(found.into_case(&head, proofs)?)
}

async fn inclusion_proofs(
    node: &Connection,
    found: &Found,
    head: &SignedCheckpoint,
) -> Result<Vec<Vec<Hash>>, Failure> {
    let mut proofs = Vec::new();
    for (index, tree_size) in found.needed(head) {
        let request = pb::ProveInclusionRequest {
            grounds: node.grounds(),
            index,
            tree_size,
        };
        let mut audit = node.audit();
        let proof = node
            .patient(async || audit.prove_inclusion(request.clone()).await)
            .await?;
        let hashes = proof.hashes.iter().map(|hash| Hash::from_slice(hash));
        let hashes = hashes.collect::<Result<_, _>>();
        proofs.push(hashes.map_err(|_| node.nonsense("a proof whose hashes have not 32 bytes"))?);
    }
    Ok(proofs)
}

/// What is proved, and where it was written.
fn report(
    proved: &Proved,
    written: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let lang = context.lang();
    if context.format() == Format::Json {
        let written = written.map(|dir| dir.display().to_string());
        return print::json(context.out, &ProvedInto::new(proved, written));
    }
    let mut table = print::table(
        lang,
        ["日志", "条目", "种类", "时间", "何人", "联署"],
        ["log", "entry", "kind", "time", "by", "cosigned"],
    );
    for statement in &proved.statements {
        let entry = &statement.entry;
        let cosigned: Vec<_> = statement.cosigned.iter().map(|c| c.by.as_str()).collect();
        table.add_row([
            plain(&statement.log),
            entry.index.to_string(),
            entry.kind.to_owned(),
            entry.time_ms.map_or_else(String::new, print::time),
            plain(entry.principal.as_deref().unwrap_or_default()),
            plain(&cosigned.join(" ")),
        ]);
    }
    writeln!(context.out, "{table}")?;
    for delivery in &proved.deliveries {
        write!(context.out, "{}", delivery.in_words(lang))?;
    }
    let (entries, keys) = (proved.statements.len(), proved.keys.len());
    let noun = if entries == 1 { "entry" } else { "entries" };
    match (lang, written) {
        (Lang::Zh, Some(dir)) => {
            writeln!(context.out, "{entries} 条已证明并写入 {}", dir.display())?
        }
        (Lang::En, Some(dir)) => {
            writeln!(
                context.out,
                "{entries} {noun} proved and written to {}",
                dir.display()
            )?;
        }
        (Lang::Zh, None) => writeln!(
            context.out,
            "核验通过：{entries} 条，所据公钥 {keys} 把均为所给"
        )?,
        (Lang::En, None) => writeln!(
            context.out,
            "verified: {entries} {noun}; the keys that this rests on, {keys}, were all given"
        )?,
    }
    if written.is_some() {
        let what = lang.pick(
            "核验须用下列公钥，并向各辖区线下核对：",
            "it is checked with these keys; compare each with its jurisdiction out of band:",
        );
        writeln!(context.out, "{what}\n{}", lines_of(&proved.keys))?;
    }
    Ok(())
}
