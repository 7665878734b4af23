//! Suites, plan, steps, resume, record
