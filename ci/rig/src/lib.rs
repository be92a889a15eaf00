//! Starts the whole system as real processes, for make run, the scenario suites and the benchmarks.
