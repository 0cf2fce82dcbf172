//! Forbids core dumps. A process's memory holds payloads, and the keys that open and sign them; a crash would write it
//! to a file or hand it to a collector.

use rustix::{
    io,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
};

/// Makes this process leave no core dump, whatever `core_pattern` says. Processes of the same user can then neither
/// trace it nor read its memory (prctl(2), `PR_SET_DUMPABLE`); root's still can.
///
/// # Errors
/// The system refuses.
pub(crate) fn forbid_dumps() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn a_process_that_forbids_dumps_is_not_dumpable() {
        forbid_dumps().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    }
}
