"""What is learnt from all orders together, now and then: models of recommendations, forecasts.

One worker looks every second whether it is time (`task`), reads everybody's orders (`reading`),
learns (`making`, pure) and keeps what came of it (`keeping`). A small shop is learnt in a thread, in
milliseconds; anything else by a process of its own (`python -m services.scoring.offering`), so that
the loop is never held up and the memory is given back.
"""
