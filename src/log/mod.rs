//! The append-only log: one writer, durable commits, checkpoints and proofs.
