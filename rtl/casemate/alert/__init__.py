"""What follows from a failure: log entry, alert, lock."""
