//! Certificates, identity, revocation, and the listener that admits only whom it should.
