//! C2SP signed notes: checkpoints, cosignatures, verifier keys.
