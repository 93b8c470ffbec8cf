"""What was bought line by line, and what was complained about: kept as it comes, read by item.

One row a purchase event, written by the loop in the transaction that folds it, so it is as fresh as
the scores and is made again with them (decision 18). An order is a *version*: the event that said
what is in it now. A correction makes another version and lets the one before it go, a cancellation
only lets it go; whatever comes first, a version counts as long as no row lets it go.
"""
