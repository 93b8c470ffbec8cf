"""What customers will do next, learnt from what they did: pure functions of purchase days."""
