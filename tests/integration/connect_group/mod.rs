//! The group protocol of distributed mode and its assignors beside Apache's own classes: for equal input
//! equal bytes, both ways, and the same assignments round after round.
//!
//! `tests/oracle/ConnectGroupOracle.java` runs Apache's classes. Cases are random and always the same
//! ones. These tests use the library, not the binary.

mod apache;
mod history;
mod rounds;
mod wire;
