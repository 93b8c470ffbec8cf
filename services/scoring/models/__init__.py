"""Models of what customers will do: pure functions of sufficient statistics.

`purchase` has the four that say when customers buy and whether they still will, by name;
`gammagamma` says what a purchase is worth, `clv` what a customer is. docs/models.md tells which
fits when.
"""
