"""HTTP: thin routes over the queries."""
