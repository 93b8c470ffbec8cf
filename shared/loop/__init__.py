"""The loop: one transaction a batch, one owner a partition."""
