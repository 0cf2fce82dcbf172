//! A node: its parts wired together, and the order in which they stop.
