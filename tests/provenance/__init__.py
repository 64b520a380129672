"""Facts, receipts and batches."""
