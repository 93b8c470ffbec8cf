"""What `make bench` measures: everything beside a peer or the bare limit, in the same run."""
