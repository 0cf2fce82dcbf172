//! The store that keeps everything, and where in it each thing lies.
