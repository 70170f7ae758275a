"""Key manager: derives keys from the root key, creates domains and erases them."""
