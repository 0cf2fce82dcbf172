//! A file that a command writes: whole or not at all, readable by its owner alone.

use super::exit::{Exit, Failure};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file to be. Nothing stands under its name before [`OutFile::keep`]; dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct OutFile {
    path: PathBuf,
    /// Beside it, so that renaming is one step; mode 0600.
    unfinished: NamedTempFile,
    over: bool,
}

impl OutFile {
    /// Makes sure that it can be written, before anything else is done. Over another file only where `over` says so.
    pub(super) fn begin(path: &Path, over: bool) -> Result<Self, Failure> {
        match path.symlink_metadata() {
            Ok(there) if there.is_dir() => {
                return Err(Failure::new(
                    Exit::Usage,
                    "是目录；请写文件名",
                    "is a directory; name a file",
                )
                .at(path.display()));
            }
            Ok(_) if !over => return Err(exists(path)),
            Ok(_) | Err(_) => {}
        }
        let unfinished = tempfile::Builder::new()
            .prefix(".yichuan-")
            .suffix(".unfinished")
            .tempfile_in(directory(path))
            .map_err(|error| no_room(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            unfinished,
            over,
        })
    }

    /// Where it will stand.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory in which it will stand, where parts of it may be kept meanwhile.
    pub(super) fn directory(&self) -> &Path {
        directory(&self.path)
    }

    /// Writes it, and puts it under its name when all of it is on disk.
    pub(super) fn keep<E: std::error::Error>(
        self,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
    ) -> Result<(), Failure> {
        let Self {
            path,
            unfinished,
            over,
        } = self;
        let mut buffered = BufWriter::new(unfinished.as_file());
        write(&mut buffered).map_err(|error| unwritable(&path, &error))?;
        buffered
            .flush()
            .map_err(|error| unwritable(&path, &error))?;
        drop(buffered);
        let synced = unfinished.as_file().sync_all();
        synced.map_err(|error| unwritable(&path, &error))?;
        let kept = if over {
            unfinished.persist(&path)
        } else {
            unfinished.persist_noclobber(&path)
        };
        kept.map_err(|error| {
            if error.error.kind() == io::ErrorKind::AlreadyExists {
                exists(&path)
            } else {
                unwritable(&path, &error.error)
            }
        })?;
        File::open(directory(&path))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| unwritable(&path, &error))
    }

    /// Nothing to write: what stood under its name, which it was to replace, is removed too, for it says what is no longer
    /// so. True where there was something.
    pub(super) fn discard(self) -> Result<bool, Failure> {
        if !self.over {
            return Ok(false);
        }
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unwritable(&self.path, &error)),
        }
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes sure that a workbook is not written under the name of something else, which other programs would then not open.
pub(super) fn is_workbook(path: &Path) -> Result<(), Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if extension.is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx")) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "写出的是 .xlsx 工作簿；请写以 .xlsx 结尾的文件名",
        "what is written is an .xlsx workbook: name a file that ends so",
    )
    .at(path.display()))
}

/// True where both name one file that is there.
pub(super) fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        Exit::Refused,
        "已存在；请另写文件名，或用 --force 覆盖",
        "exists; name another file, or write over it with --force",
    )
    .at(path.display())
}

/// Nothing can be begun in the directory.
fn no_room(path: &Path, error: &io::Error) -> Failure {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    let (at, kind) = (directory(path).display(), error.kind());
    let failure = if [NotFound, NotADirectory].contains(&kind) {
        Failure::new(
            Exit::NoInput,
            format!("没有目录 {at}；请先建立目录，或另写文件名"),
            format!("there is no directory {at}: make it first, or name another file"),
        )
    } else if [PermissionDenied, ReadOnlyFilesystem].contains(&kind) {
        Failure::new(
            Exit::Refused,
            format!("目录 {at} 不可写；请另写文件名"),
            format!("the directory {at} may not be written to: name another file"),
        )
    } else {
        return unwritable(path, error);
    };
    failure.at(path.display())
}

fn unwritable(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("无法写入：{error}"),
        format!("cannot be written: {error}"),
    )
    .at(path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn write(file: OutFile, bytes: &[u8]) -> Result<(), Failure> {
        file.keep(|out| out.write_all(bytes))
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        names
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn it_is_there_whole_or_not_at_all_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.xlsx");
        let failed = OutFile::begin(&path, false).unwrap().keep(|out| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        assert!(names(dir.path()).is_empty());
        write(OutFile::begin(&path, false).unwrap(), b"whole").unwrap();
        assert_eq!(names(dir.path()), ["out.xlsx"]);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_written_over_unless_it_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.xlsx");
        let early = OutFile::begin(&path, false).unwrap();
        fs::write(&path, b"theirs").unwrap();
        // Not what came meanwhile either.
        assert_eq!(write(early, b"ours").unwrap_err().exit(), Exit::Refused);
        assert_eq!(
            OutFile::begin(&path, false).unwrap_err().exit(),
            Exit::Refused
        );
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        write(OutFile::begin(&path, true).unwrap(), b"ours").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ours");
        assert!(OutFile::begin(&path, true).unwrap().discard().unwrap());
        assert!(names(dir.path()).is_empty());
        assert!(!OutFile::begin(&path, true).unwrap().discard().unwrap());
        assert!(OutFile::begin(dir.path(), true).is_err());
        let nowhere = OutFile::begin(&dir.path().join("none/out.xlsx"), false).unwrap_err();
        assert_eq!(nowhere.exit(), Exit::NoInput);
        assert!(
            !nowhere
                .message(crate::domain::Lang::En)
                .contains(".unfinished")
        );
        assert!(is_workbook(Path::new("t.XLSX")).is_ok());
        for other in ["t.csv", "t", "xlsx"] {
            assert!(is_workbook(Path::new(other)).is_err(), "{other}");
        }
    }
}
