//! What must outlive the process: SQLite.
