"""Keys of customers, and what is sealed with them."""

from shared.keyring.keyring import Keyring

__all__ = ["Keyring"]
