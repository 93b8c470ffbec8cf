"""HTTP: thin routes over the queries and the decider."""
