//! The schema, as an ordered list of steps; the number of steps taken is kept in the file (`PRAGMA user_version`).

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Append only: a step that has shipped never changes.
const STEPS: &[&str] = &[super::knowledge::SCHEMA, super::conversations::SCHEMA, super::knowledge::SIMILAR];

/// Takes the steps that the file has not seen, all or none.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let taken: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    if taken > STEPS.len() {
        return Err(StoreError::TooNew { path: path.to_path_buf(), found: taken, known: STEPS.len() });
    }
    for step in STEPS.iter().skip(taken) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_step_is_taken_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, Path::new("x.db")).unwrap();
        run(&mut connection, Path::new("x.db")).unwrap();
        assert_eq!(version(&connection), STEPS.len() as i64);
    }

    #[test]
    fn a_newer_file_is_refused_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 9999).unwrap();
        assert!(matches!(
            run(&mut connection, Path::new("x.db")),
            Err(StoreError::TooNew { found: 9999, .. })
        ));
        assert_eq!(version(&connection), 9999);
    }
}
