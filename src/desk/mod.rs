//! What officers do: push, list, open and answer.
