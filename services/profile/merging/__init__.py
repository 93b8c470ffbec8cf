"""Which customers are one, and who decides it: people, or a policy that weighs what events say."""
