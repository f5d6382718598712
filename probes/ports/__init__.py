"""Whether a port, an export or a codec at another precision does what the original does."""
