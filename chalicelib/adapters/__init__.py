"""One outside system per file: it translates shapes and error codes, and decides nothing."""
