//! The master under scenarios.
