"""The line of the vault."""
