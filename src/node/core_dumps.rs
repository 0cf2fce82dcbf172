//! Core dumps. Payloads, and the keys that open and sign them, stand in a process's memory; what crashes writes that to a
//! file, or hands it to a collector.

use rustix::{
    io,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
};

/// This process leaves no core dump, whatever `core_pattern` says, and processes of the same user neither trace it nor
/// read its memory (prctl(2), `PR_SET_DUMPABLE`). Those of root do.
///
/// # Errors
/// The system refuses.
pub fn forbid_dumps() -> io::Result<()> {
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
