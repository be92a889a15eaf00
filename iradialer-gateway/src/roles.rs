//! Starts the roles and stops them.
