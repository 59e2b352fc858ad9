"""The behaviour of the client, without I/O and without a clock."""
