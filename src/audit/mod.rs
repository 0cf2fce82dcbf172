//! What auditors do: replay, verify and export, trusting no node.
