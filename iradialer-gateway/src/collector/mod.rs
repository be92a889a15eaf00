//! Writes what the switches report to the TDB.
