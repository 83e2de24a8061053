"""Where answers to rows are kept: the ledger, or a folder."""
