//! Figures, tables, summary and HTML page: pure functions of a run record
